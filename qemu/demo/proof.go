package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/internal/bootlog"
)

// Proof is what the booted system says of itself.
type Proof struct {
	Release  string  // uname -r
	State    string  // systemctl is-system-running
	Failed   string  // failed units, one a line
	Mounts   []Mount // findmnt -J, flattened
	Cmdline  string  // /proc/cmdline
	BootJSON string  // /run/slipway/boot.json
	Where    string  // where systemd has the proof's unit from
}

// Mount is one row of findmnt -J.
type Mount struct {
	Target   string  `json:"target"`
	Source   string  `json:"source"`
	FSType   string  `json:"fstype"`
	Options  string  `json:"options"`
	Children []Mount `json:"children"`
}

// parseProof reads the sections that proofUnit writes.
func parseProof(raw string) (Proof, error) {
	sections := map[string]string{}
	var name string
	for line := range strings.Lines(strings.ReplaceAll(raw, "\r", "")) {
		if head, ok := strings.CutPrefix(line, "== "); ok {
			name = strings.TrimSpace(head)
			sections[name] = ""
			continue
		}
		sections[name] += line
	}
	if _, ok := sections["end"]; !ok {
		return Proof{}, fmt.Errorf("the booted system did not report: expected a line \"== end\" on the report channel, got %d bytes", len(raw))
	}
	var mounts struct {
		Filesystems []Mount `json:"filesystems"`
	}
	if err := json.Unmarshal([]byte(sections["findmnt"]), &mounts); err != nil {
		return Proof{}, fmt.Errorf("findmnt: %w", err)
	}
	trim := func(name string) string { return strings.TrimSpace(sections[name]) }
	return Proof{
		Release: trim("release"), State: trim("state"), Failed: trim("failed"), Mounts: flatten(mounts.Filesystems),
		Cmdline: trim("cmdline"), BootJSON: sections["boot.json"], Where: trim("where"),
	}, nil
}

func flatten(mounts []Mount) []Mount {
	var out []Mount
	for _, m := range mounts {
		children := m.Children
		m.Children = nil
		out = append(append(out, m), flatten(children)...)
	}
	return out
}

// mount returns the file system that is mounted at target last.
func (p Proof) mount(target string) Mount {
	var found Mount
	for _, m := range p.Mounts {
		if m.Target == target {
			found = m
		}
	}
	return found
}

// check compares what was booted with the image and with the plan. All
// differences are returned, joined.
func (s *Summary) check() error {
	var errs []error
	expect := func(what, want, got string) {
		if want != got {
			errs = append(errs, fmt.Errorf("%s: expected %q, got %q", what, want, got))
		}
	}
	p := s.Proof
	expect("kernel release", s.Plan.KernelRelease, p.Release)
	expect("command line", s.Plan.Cmdline, p.Cmdline)
	expect("digest", s.Plan.Digest, s.Report.Digest)
	expect("policy", s.Plan.Policy, s.Report.Policy)
	expect("/ type", "erofs", p.mount("/").FSType)
	expect("/ option", "ro", firstOption(p.mount("/")))
	expect("/etc type", "overlay", p.mount("/etc").FSType)
	expect("/etc option", "rw", firstOption(p.mount("/etc")))
	expect("/var type", "tmpfs", p.mount("/var").FSType)
	expect("/var option", "rw", firstOption(p.mount("/var")))
	expect("system state", "running", p.State)
	expect("failed units", "", p.Failed)
	if !strings.HasPrefix(p.Where, "/run/") {
		errs = append(errs, fmt.Errorf("proof unit: expected it below /run, got %q", p.Where))
	}
	if len(s.Steps) != bootlog.Steps {
		errs = append(errs, fmt.Errorf("console: expected %d step lines, got %d", bootlog.Steps, len(s.Steps)))
	}
	return errors.Join(errs...)
}

// firstOption is ro or rw.
func firstOption(m Mount) string {
	first, _, _ := strings.Cut(m.Options, ",")
	return first
}

func (s *Summary) print(w io.Writer, took time.Duration) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-16s"+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintln(w, "\nThe booted system reports:")
	row("reference", "%s", s.Report.Reference)
	row("digest", "%s", s.Report.Digest)
	for _, sg := range s.Report.Signers {
		row("signed by", "%s (%s)", sg.KeyID, sg.Format)
	}
	row("kernel", "payload %s → image %s", s.Report.PayloadKernel, s.Proof.Release)
	row("root", "%s (%s), /etc %s, /var %s", s.Proof.mount("/").FSType, s.Report.Root, s.Proof.mount("/etc").FSType, s.Proof.mount("/var").FSType)
	row("command line", "as planned: %v", s.Plan.Cmdline == s.Proof.Cmdline)
	row("system state", "%s", s.Proof.State)
	if s.Proof.Failed != "" {
		row("failed units", "%s", strings.ReplaceAll(s.Proof.Failed, "\n", "; "))
	}
	row("fetched", "%s", bootlog.Bytes(s.Report.Fetched))
	row("loader memory", "%s at most, machine %s at most", bootlog.Bytes(s.Report.LoaderRSS), bootlog.Bytes(s.Report.PeakMemory))
	for _, st := range s.Steps {
		row(fmt.Sprintf("%d/7 %s", st.N, st.Name), "%5.1f s", st.Seconds)
	}
	row("machine", "%.0f s from power-on to power-off, the whole demo %.0f s", s.Seconds, took.Seconds())
	row("payload", "%s", s.Payload)
	row("console log", "%s", s.Console)
	row("boot.json", "%s", s.Boot)
}
