package pid1

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/internal/bootlog"
)

func TestCrashed(t *testing.T) {
	var out bytes.Buffer
	waits, ends := 0, 0
	end := func(how string) error {
		if how != Reboot {
			t.Errorf("expected a reboot, got %s", how)
		}
		if ends++; ends < 3 {
			return errors.New("busy")
		}
		return nil
	}
	crashed(bootlog.New(bootlog.Output{W: &out}), "nil map", []byte("goroutine 1 [running]:\nmain.main()"), func() { waits++ }, end)
	if ends != 3 || waits != 3 {
		t.Errorf("expected to wait and try until the machine ends, got %d waits, %d tries", waits, ends)
	}
	for _, want := range []string{"slipway: panic: nil map", "main.main()", "slipway: hint: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %q: %q", want, out.String())
		}
	}
}
