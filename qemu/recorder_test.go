package qemu_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/slipway-boot/slipway/qemu"
)

// Patience of the tests. A guest takes a few seconds; the rest is for a busy
// machine.
const (
	boot = 2 * time.Minute
	soon = 30 * time.Second
)

// recorder is a test that notes what the harness does to it.
type recorder struct {
	mu       sync.Mutex
	log      strings.Builder
	failed   bool
	fatal    bool
	cleanups []func()
	deadline time.Time
}

var _ qemu.TB = (*recorder)(nil)

// run runs f and then the cleanups, as package testing would.
func (r *recorder) run(f func(tb qemu.TB)) {
	each := []func(){func() { f(r) }}
	for len(each) > 0 {
		done := make(chan struct{})
		go func() { // Fatalf ends a goroutine
			defer close(done)
			each[0]()
		}()
		<-done
		each = each[1:]
		if n := len(r.cleanups); len(each) == 0 && n > 0 {
			each, r.cleanups = r.cleanups[n-1:], r.cleanups[:n-1]
		}
	}
}

func (r *recorder) Helper() {}

func (r *recorder) Name() string { return "TestRecorded/a b" }

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.log, format+"\n", args...)
}

func (r *recorder) Errorf(format string, args ...any) {
	r.Logf("ERROR "+format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.fatal = true
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Deadline() (time.Time, bool) { return r.deadline, !r.deadline.IsZero() }

// text returns everything that was logged.
func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}
