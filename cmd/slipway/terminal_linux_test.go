package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-boot/slipway/oci"
)

// terminal is a person's: the program has one end, the test types at the
// other.
type terminal struct {
	program *os.File
	person  *os.File

	mu    sync.Mutex
	shown strings.Builder
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	term := &terminal{program: program, person: person}
	go term.watch()
	return term
}

// watch keeps what the terminal shows, until it is closed.
func (term *terminal) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := term.person.Read(buf)
		term.mu.Lock()
		term.shown.Write(buf[:n])
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (term *terminal) screen() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.shown.String()
}

// wait waits until the terminal is as wanted.
func wait(t *testing.T, what string, wanted func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !wanted(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: expected within 30 s", what)
		}
	}
}

func (term *terminal) echoes() bool {
	state, err := unix.IoctlGetTermios(int(term.program.Fd()), unix.TCGETS)
	return err == nil && state.Lflag&unix.ECHO != 0
}

// answers types a line for each prompt, once the terminal does not show it.
func (term *terminal) answers(t *testing.T, lines ...string) {
	t.Helper()
	for i, line := range lines {
		prompt := []string{"Password for the private key: ", "The same again: "}[i]
		wait(t, prompt, func() bool { return strings.Contains(term.screen(), prompt) && !term.echoes() })
		if _, err := term.person.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
}

// start calls the program at a terminal, and returns a function that waits for
// its exit code.
func (term *terminal) start(ctx context.Context, args ...string) func() int {
	code := make(chan int, 1)
	go func() { code <- run(ctx, args, streams{term.program, term.program, term.program}) }()
	return func() int { return <-code }
}

func TestPasswordFromTerminal(t *testing.T) {
	unset(t)
	prefix := filepath.Join(t.TempDir(), "os")
	term := newTerminal(t)
	code := term.start(t.Context(), "keygen", "-o", prefix)
	term.answers(t, testPassword, testPassword)
	if code() != 0 {
		t.Fatalf("got %s", term.screen())
	}
	if _, err := oci.LoadPrivate(prefix+".key", []byte(testPassword)); err != nil {
		t.Error(err)
	}
	if strings.Contains(term.screen(), testPassword) || !term.echoes() {
		t.Errorf("the password was shown, or echo is still off: %q", term.screen())
	}
}

func TestPasswordTypedWrong(t *testing.T) {
	unset(t)
	dir := t.TempDir()
	term := newTerminal(t)
	code := term.start(t.Context(), "keygen", "-o", filepath.Join(dir, "os"))
	term.answers(t, testPassword, testPassword+"?")
	if got := code(); got != exitFailed {
		t.Errorf("expected exit code 1, got %d", got)
	}
	wait(t, "the error", func() bool {
		return strings.Contains(term.screen(), "slipway: error: password: the two are not the same")
	})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("expected no key, got %v, %v", entries, err)
	}
}

// TestPasswordInterrupted: the prompt ends, and the terminal is as before.
func TestPasswordInterrupted(t *testing.T) {
	unset(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	term := newTerminal(t)
	code := term.start(ctx, "keygen", "-o", filepath.Join(t.TempDir(), "os"))
	wait(t, "the prompt", func() bool { return strings.Contains(term.screen(), "Password") && !term.echoes() })
	cancel()
	if got := code(); got != exitFailed || !term.echoes() {
		t.Errorf("expected exit code 1 and echo, got %d, %v", got, term.echoes())
	}
	wait(t, "the error", func() bool { return strings.Contains(term.screen(), "slipway: error: interrupted") })
}

// TestProgress: a terminal shows how far an image's layers are, on one line
// that is gone in the end.
func TestProgress(t *testing.T) {
	r := newRig(t)
	ref := r.signed(t, "os/web:1", bootable(t, nil))
	for _, args := range [][]string{
		{"plan", ref, "--policy", r.policy, "--ca", r.ca},
		r.pullOf(ref, r.path("web.erofs")),
	} {
		term := newTerminal(t)
		if code := term.start(t.Context(), args...)(); code != 0 {
			t.Fatalf("%s: got exit code %d: %s", args[0], code, term.screen())
		}
		wait(t, "the answer", func() bool { return strings.Contains(term.screen(), "kernel ") })
		drawn, _, _ := strings.Cut(term.screen(), "reference ")
		if !strings.HasPrefix(drawn, "\rfetching [") || !strings.HasSuffix(drawn, "\r\x1b[K") || strings.Contains(drawn, "\n") {
			t.Errorf("%s: got %q", args[0], drawn)
		}
	}
}

func TestBar(t *testing.T) {
	for _, test := range []struct {
		done, total int64
		since       time.Duration
		want        string
	}{
		{0, 1000, 0, "fetching [........................] 0 B of 1 kB"},
		{1, 2, time.Second / 2, "fetching [############............] 1 B of 2 B"},
		{0, 0, 0, "fetching [########################] 0 B of 0 B"},
		{3e6, 2e6, 2 * time.Second, "fetching [########################] 3.0 MB of 2.0 MB, 1.5 MB/s"},
		{99e9, 999e9, time.Minute, "fetching [##......................] 99.00 GB of 999.00 GB, 1.65 GB/s"},
	} {
		if got := bar(test.done, test.total, test.since); got != test.want || len(got) >= 80 {
			t.Errorf("%d of %d: expected %q, got %q", test.done, test.total, test.want, got)
		}
	}
}
