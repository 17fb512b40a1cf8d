package qemu

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReason(t *testing.T) {
	tests := map[string]struct {
		outcome outcome
		code    int
		want    Reason
	}{
		"power-off":              {outcome{shutdown: "guest-shutdown"}, 0, Shutdown},
		"power-off, killed late": {outcome{shutdown: "guest-shutdown", killed: true}, -1, Shutdown},
		"reboot":                 {outcome{shutdown: "guest-reset"}, 0, Reset},
		"reboot after a panic":   {outcome{shutdown: "guest-reset", panicked: true}, 0, Panic},
		"panic, then killed":     {outcome{panicked: true, killed: true}, -1, Panic},
		"panic told by a device": {outcome{shutdown: "guest-panic"}, 0, Panic},
		"killed":                 {outcome{killed: true}, -1, Killed},
		"asked to quit":          {outcome{shutdown: "host-qmp-quit"}, 0, Killed},
		"terminal":               {outcome{shutdown: "host-signal", killed: true}, 0, Killed},
		"QEMU gave up":           {outcome{}, 1, Crashed},
		"QEMU was shot":          {outcome{}, -1, Crashed},
	}
	for name, test := range tests {
		if got := test.outcome.reason(test.code); got != test.want {
			t.Errorf("%s: expected %s, got %s", name, test.want, got)
		}
	}
}

func TestExitString(t *testing.T) {
	e := Exit{Reason: Killed, Cause: errors.New("why"), Code: -1, Elapsed: 1234 * time.Millisecond, PeakRSS: 5 << 20}
	if got, want := e.String(), "killed (why) after 1.2 s, QEMU exit code -1, peak 5 MiB"; got != want {
		t.Errorf("expected %q, got %q", want, got)
	}
}

func TestPanicLines(t *testing.T) {
	const end = "---[ end Kernel panic - not syncing: x ]---"
	for line, want := range map[string][2]bool{
		"Kernel panic - not syncing: Attempted to kill init!": {true, false},
		"[    1.5] Kernel panic - not syncing: x":             {true, false},
		"[    1.5][    T1] Kernel panic - not syncing: x":     {true, false},
		"<0>[    1.5] Kernel panic - not syncing: x":          {true, false},
		"[    1.5] " + end:                       {false, true},
		"journal: Kernel panic - not syncing: x": {false, false},
		"docs: " + end:                           {false, false},
	} {
		if got := [2]bool{panicLine.MatchString(line), panicEnd.MatchString(line)}; got != want {
			t.Errorf("%q: expected %v, got %v", line, want, got)
		}
	}
}

func TestRepeatOutlivesInputs(t *testing.T) {
	inputs, dir := t.TempDir(), t.TempDir()
	for _, name := range []string{"linux", "disk", "vars"} {
		if err := os.WriteFile(filepath.Join(inputs, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{
		Name: "vm", Dir: dir, Kernel: inputs + "/linux", Cmdline: "it's quiet", Initrd: "/not/there",
		Disks:    []Disk{{Path: inputs + "/disk"}},
		Firmware: Firmware{Code: "/dev/null", Vars: inputs + "/vars"},
	}
	if err := o.keepInputs(); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(dir, RepeatFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"-initrd /not/there", "mux=on", `'it'\''s quiet'`, dir + "/repeat/" + VarsFile, dir + "/repeat/" + ReportFile,
	} {
		if !strings.Contains(string(script), want) {
			t.Errorf("expected %q in:\n%s", want, script)
		}
	}
	if strings.Contains(string(script), inputs) {
		t.Errorf("expected no path below %s in:\n%s", inputs, script)
	}
	if o.Disks[0].Path != inputs+"/disk" {
		t.Errorf("the caller's options changed: %q", o.Disks[0].Path)
	}
	kept, err := filepath.Glob(dir + "/input*")
	if err != nil || len(kept) != 3 {
		t.Errorf("expected three kept inputs, got %q, %v", kept, err)
	}
}
