package qemu

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

func TestParseMessage(t *testing.T) {
	m, err := parseMessage([]byte(`{"timestamp": {"seconds": 1}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}`))
	if reason, ok := m.shutdownReason(); err != nil || !ok || reason != "guest-reset" {
		t.Errorf("expected guest-reset, got %q, %v", reason, err)
	}
	for _, line := range []string{
		`{"QMP": {"version": {}, "capabilities": ["oob"]}}`,
		`{"return": {}, "id": 1}`,
		`{"id": 18446744073709551615, "error": {"class": "GenericError", "desc": "no"}}`,
		`{"event": "RESET", "data": null}`,
	} {
		m, err := parseMessage([]byte(line))
		if _, ok := m.shutdownReason(); err != nil || ok {
			t.Errorf("%s: got %v, shutdown %v", line, err, ok)
		}
	}
	for _, line := range []string{``, `{`, `[]`, `{}`, `{"id": 1}`, `{"event": 1}`, `{"return": {}, "id": -1}`, `null`} {
		if m, err := parseMessage([]byte(line)); err == nil {
			t.Errorf("%s: expected an error, got %+v", line, m)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(`{"event": "SHUTDOWN", "data": {"reason": "guest-shutdown"}}`))
	f.Add([]byte(`{"error": {"class": "a", "desc": "b"}, "id": 1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := parseMessage(line)
		if reason, ok := m.shutdownReason(); ok && (err != nil || m.Event != "SHUTDOWN") {
			t.Errorf("%q: reason %q, error %v", line, reason, err)
		}
	})
}

// dialogue starts a monitor whose other end answers each request with the
// next of the given texts, in which %d becomes the request's number, and then
// hangs up. The function returned waits for that and returns the events.
func dialogue(t *testing.T, answers ...string) (*monitor, func() []string) {
	ours, theirs := net.Pipe()
	var events []string
	m := newMonitor(ours, func(m message) { events = append(events, m.Event) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.run()
	}()
	go func() {
		defer theirs.Close()
		requests := bufio.NewScanner(theirs)
		for _, answer := range answers {
			if !requests.Scan() {
				return
			}
			id := bytes.SplitN(requests.Bytes(), []byte(`"id":`), 2)[1]
			fmt.Fprintln(theirs, strings.ReplaceAll(answer, "%d", strings.Trim(string(id), "}")))
		}
	}()
	t.Cleanup(func() { ours.Close() })
	return m, func() []string { <-ended; return events }
}

func TestMonitorCommand(t *testing.T) {
	m, events := dialogue(t,
		`{"QMP": {}}`+"\n"+`{"return": {}, "id": %d}`,
		`{"event": "STOP"}`+"\n"+`{"return": {"running": true}, "id": %d}`,
		`{"error": {"class": "CommandNotFound", "desc": "nope"}, "id": %d}`,
		`{"event": "SHUTDOWN"}`,
	)
	if _, err := m.command(t.Context(), "qmp_capabilities", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := m.command(t.Context(), "query-status", map[string]int{"a": 1}); err != nil || string(got) != `{"running": true}` {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := m.command(t.Context(), "frobnicate", nil); !errors.Is(err, ErrCommand) || !strings.Contains(err.Error(), "frobnicate") {
		t.Errorf("expected %v, got %v", ErrCommand, err)
	}
	if _, err := m.command(t.Context(), "quit", nil); !errors.Is(err, ErrExited) {
		t.Errorf("expected %v, got %v", ErrExited, err)
	}
	if got := events(); fmt.Sprint(got) != "[STOP SHUTDOWN]" {
		t.Errorf("expected two events, got %q", got)
	}
}

func TestMonitorLateAnswer(t *testing.T) {
	m, _ := dialogue(t, `{"event": "NOTHING"}`, `{"return": "late", "id": 1}`+"\n"+`{"return": "right", "id": %d}`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := m.command(ctx, "slow", nil); !errors.Is(err, ErrTimeout) {
		t.Fatalf("expected %v, got %v", ErrTimeout, err)
	}
	if got, err := m.command(t.Context(), "fast", nil); err != nil || string(got) != `"right"` {
		t.Errorf("expected the second answer, got %s, %v", got, err)
	}
}

func TestMonitorGarbage(t *testing.T) {
	for name, garbage := range map[string]string{
		"not JSON": "Segmentation fault",
		"too long": `{"return": "` + strings.Repeat("x", maxMessage) + `", "id": %d}`,
	} {
		m, _ := dialogue(t, garbage)
		if _, err := m.command(t.Context(), "anything", nil); !errors.Is(err, ErrExited) {
			t.Errorf("%s: expected %v, got %v", name, ErrExited, err)
		}
	}
}
