//go:build firmware

package e2e

import (
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/qemu/demo"
)

// TestDebian boots the whole Debian image from a disk under OVMF, once for
// each way to the root. demo.Run checks what the booted system says of itself
// against the image and the plan.
func TestDebian(t *testing.T) {
	program, err := makeBuild(t.Context(), "slipway")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"auto", "initrd"} {
		t.Run(root, func(t *testing.T) {
			out := &lines{t: t}
			s, err := demo.Run(t.Context(), demo.Options{Program: program, Dir: t.TempDir(), Cache: cache, Root: root, Out: out})
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]string{"auto": "direct", "initrd": "initrd"}[root]; s.Report.Root != want {
				t.Errorf("root: expected %s, got %s", want, s.Report.Root)
			}
			if s.Report.Firmware != "uefi" {
				t.Errorf("firmware: expected uefi, got %s", s.Report.Firmware)
			}
		})
	}
}

// lines passes a program's output to the test's log.
type lines struct {
	t    *testing.T
	rest string
}

func (l *lines) Write(p []byte) (int, error) {
	all := strings.Split(l.rest+string(p), "\n")
	for _, line := range all[:len(all)-1] {
		l.t.Log(line)
	}
	l.rest = all[len(all)-1]
	return len(p), nil
}
