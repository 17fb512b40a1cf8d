package bootlog

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// clocked returns a Log whose clock only moves by the returned function.
func clocked(outs ...Output) (*Log, func(time.Duration)) {
	l := New(outs...)
	now := time.Unix(1000, 0)
	l.now = func() time.Time { return now }
	return l, func(d time.Duration) { now = now.Add(d) }
}

func TestLines(t *testing.T) {
	var plain, kmsg bytes.Buffer
	l, pass := clocked(Output{W: &plain}, Output{W: &kmsg, Prefix: "<7>"})
	s := l.Step(2, "fetch")
	pass(1500 * time.Millisecond)
	s.Done("registry.example/os@%s", "sha256:12")
	l.Step(3, "verify").Fail(errors.New("verify: no signature"), "sign the image")

	want := []string{
		"slipway: 2/7 fetch: registry.example/os@sha256:12 (1.5 s)",
		"slipway: 3/7 verify: error: no signature",
		"slipway: hint: sign the image",
	}
	if got := plain.String(); got != strings.Join(want, "\n")+"\n" {
		t.Errorf("console: got %q", got)
	}
	if got := kmsg.String(); got != "<7>"+strings.Join(want, "\n<7>")+"\n" {
		t.Errorf("kmsg: got %q", got)
	}
	rec := l.Records()
	if len(rec) != 2 || rec[0].Seconds != 1.5 || !rec[1].Failed {
		t.Errorf("records: got %+v", rec)
	}
}

func TestControlCharactersStayOut(t *testing.T) {
	var out bytes.Buffer
	l, _ := clocked(Output{W: &out})
	l.Step(2, "fetch").Fail(errors.New("server said \x1b[2Jslipway: 7/7\r"), "")
	if strings.ContainsAny(out.String(), "\x1b\r") {
		t.Errorf("got control characters: %q", out.String())
	}
}

func TestProgress(t *testing.T) {
	var serial, screen bytes.Buffer
	l, pass := clocked(Output{W: &serial}, Output{W: &screen, Bar: true})
	s := l.Step(4, "extract")
	for i := int64(1); i <= 100; i++ {
		pass(50 * time.Millisecond)
		s.Progress("layer 1/4", i*1e6, 100e6)
	}
	s.Done("done")
	if n := strings.Count(serial.String(), "\n"); n != 3 { // at 2 s, at 4 s, and Done
		t.Errorf("serial lines: expected 3, got %d: %q", n, serial.String())
	}
	if !strings.Contains(serial.String(), "slipway: 4/7 extract: layer 1/4 40.0 MB of 100.0 MB, 20.0 MB/s, 3 s left") {
		t.Errorf("serial: got %q", serial.String())
	}
	for _, bar := range strings.Split(screen.String(), "\r") {
		if n := len(strings.TrimSuffix(bar, "\x1b[K")); n > 79 && !strings.Contains(bar, "\n") {
			t.Errorf("a bar of %d columns: %q", n, bar)
		}
	}
	if n := strings.Count(screen.String(), "\r"); n < 40 || n > 60 {
		t.Errorf("bar redraws: expected about 50, got %d", n)
	}
	if !strings.HasSuffix(screen.String(), "\r\x1b[Kslipway: 4/7 extract: done (5.0 s)\n") {
		t.Errorf("the bar is not cleared before the next line: %q", screen.String()[screen.Len()-80:])
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 1234567: "1.2 MB", 5e9: "5.00 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d): expected %q, got %q", n, want, got)
		}
	}
}
