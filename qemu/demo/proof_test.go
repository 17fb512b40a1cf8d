package demo

import (
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/payload"
)

const raw = "== release\r\n6.12\r\n== state\r\nrunning\r\n== failed\r\n== findmnt\r\n" +
	`{"filesystems":[{"target":"/","source":"/dev/loop0","fstype":"erofs","options":"ro,relatime","children":[` +
	`{"target":"/etc","source":"overlay","fstype":"overlay","options":"rw,relatime"},` +
	`{"target":"/var","source":"tmpfs","fstype":"tmpfs","options":"rw"}]}]}` +
	"\r\n== cmdline\r\nconsole=ttyS0\r\n== boot.json\r\n{}\r\n== where\r\n/run/systemd/generator/slipway-proof.service\r\n== end\r\n"

// good is a summary that check accepts.
func good(t *testing.T) *Summary {
	t.Helper()
	p, err := parseProof(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &Summary{
		Plan:   payload.Plan{KernelRelease: "6.12", Cmdline: "console=ttyS0", Digest: "sha256:1", Policy: "p"},
		Report: report.Report{Digest: "sha256:1", Policy: "p"},
		Proof:  p, Steps: make([]report.Step, 7),
	}
}

func TestCheck(t *testing.T) {
	if err := good(t).check(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Summary){
		"kernel release":  func(s *Summary) { s.Proof.Release = "6.1" },
		"command line":    func(s *Summary) { s.Proof.Cmdline += " x" },
		"digest":          func(s *Summary) { s.Report.Digest = "sha256:2" },
		"policy":          func(s *Summary) { s.Report.Policy = "" },
		"/ type":          func(s *Summary) { s.Proof.Mounts[0].FSType = "ext4" },
		"/ option":        func(s *Summary) { s.Proof.Mounts[0].Options = "rw" },
		"/etc type":       func(s *Summary) { s.Proof.Mounts = s.Proof.Mounts[:1] },
		"/var type":       func(s *Summary) { s.Proof.Mounts[2].FSType = "overlay" },
		"system state":    func(s *Summary) { s.Proof.State = "degraded" },
		"failed units":    func(s *Summary) { s.Proof.Failed = "x.service" },
		"proof unit":      func(s *Summary) { s.Proof.Where = "/usr/lib/systemd/system/slipway-proof.service" },
		"expected 7 step": func(s *Summary) { s.Steps = s.Steps[:6] },
	} {
		s := good(t)
		spoil(s)
		if err := s.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error about %q, got %v", want, err)
		}
	}
}

func TestProofThatNeverCame(t *testing.T) {
	for _, text := range []string{"", "== release\n6.12\n", strings.Replace(raw, `{"filesystems"`, `{`, 1)} {
		if _, err := parseProof(text); err == nil {
			t.Errorf("%.40q was accepted", text)
		}
	}
}

func TestConsoleSteps(t *testing.T) {
	got := consoleSteps("x\nslipway: 4/7 extract: layers 1 MB of 2 MB, 1 s left\nslipway: 4/7 extract: 5 layers (0.4 s)\nslipway: 7/7 jump: a=b (x) (0.1 s)\n")
	if len(got) != 2 || got[0].What != "5 layers" || got[1].What != "a=b (x)" || got[1].Seconds != 0.1 {
		t.Errorf("got %+v", got)
	}
}

func TestShellWords(t *testing.T) {
	if got, want := shellWords([]string{"a", "b c", "d=e"}), `a "b c" d=e`; got != want {
		t.Errorf("expected %s, got %s", want, got)
	}
}
