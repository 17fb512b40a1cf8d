package qemu

import (
	"context"
	"errors"
	"os"
	"regexp"
	"time"
)

// TB is the part of testing.TB that StartT needs; *testing.T has it. The
// package does without testing itself because cmd/slipway links it too.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}

// deadlineMargin is what is left of a test's time for saying why it failed.
const deadlineMargin = 10 * time.Second

// StartT starts a machine for a test and fails the test if that is not
// possible. At the test's end, and shortly before its deadline, the machine
// is killed. The test fails if nobody called Wait. After a failure the
// machine's directory is kept and the command to repeat the run is logged;
// after a success it is removed, unless o.Dir named it.
func StartT(tb TB, o Options) *VM {
	tb.Helper()
	o.Name = or(o.Name, "vm")
	ours := o.Dir == ""
	if ours {
		dir, err := os.MkdirTemp("", "slipway-vm-"+unsafeInNames.ReplaceAllString(tb.Name(), "-")+"-")
		if err != nil {
			tb.Fatalf("qemu: %v", err)
			return nil
		}
		o.Dir = dir
	}
	hook := o.OnLine
	o.OnLine = func(line Line) {
		tb.Logf("%s: %v", o.Name, line)
		if hook != nil {
			hook(line)
		}
	}
	ctx, cancel := testContext(tb)
	vm, err := Start(ctx, o)
	if err != nil {
		cancel()
		if ours {
			os.RemoveAll(o.Dir)
		}
		tb.Fatalf("qemu: %v", err)
		return nil
	}
	tb.Cleanup(func() {
		defer cancel()
		vm.finish(tb, ours)
	})
	return vm
}

// unsafeInNames are characters of a test's name that a directory cannot have.
var unsafeInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// testContext ends a moment before the test binary would.
func testContext(tb TB) (context.Context, context.CancelFunc) {
	if t, ok := tb.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, ok := t.Deadline(); ok {
			cause := errors.New("the test's deadline is near")
			return context.WithDeadlineCause(context.Background(), deadline.Add(-deadlineMargin), cause)
		}
	}
	return context.WithCancel(context.Background())
}

// finish ends the machine with its test.
func (vm *VM) finish(tb TB, ours bool) {
	tb.Helper()
	if vm.running() {
		vm.Kill()
	}
	vm.mu.Lock()
	waited := vm.waited
	vm.mu.Unlock()
	if !waited && !tb.Failed() {
		tb.Errorf("qemu: %s: the test ended without calling Wait", vm.opts.Name)
	}
	if !tb.Failed() {
		if ours {
			os.RemoveAll(vm.opts.Dir)
		}
		return
	}
	if err := vm.opts.keepInputs(); err != nil {
		tb.Logf("qemu: %s: %v", vm.opts.Name, err)
	}
	tb.Logf("qemu: %s: ended by %v", vm.opts.Name, vm.exit)
	tb.Logf("qemu: %s: kept %s; repeat the run with:\n  sh %s/%s", vm.opts.Name, vm.opts.Dir, quote(vm.opts.Dir), RepeatFile)
}

// ExpectT is Expect for tests: it fails the test unless a line matches the
// pattern in time.
func (vm *VM) ExpectT(tb TB, timeout time.Duration, pattern string) Match {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	m, err := vm.Expect(ctx, regexp.MustCompile(pattern))
	if err != nil {
		tb.Fatalf("qemu: %v", err)
	}
	return m
}

// WaitT is Wait for tests: it fails the test unless the machine ends in time
// and for the given reason.
func (vm *VM) WaitT(tb TB, timeout time.Duration, want Reason) Exit {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	exit, err := vm.Wait(ctx)
	if err != nil {
		tb.Fatalf("qemu: %v", err)
	} else if exit.Reason != want {
		tb.Fatalf("qemu: %s: expected %s, got %v\n%s", vm.opts.Name, want, exit, vm.console.tail(tailLines))
	}
	return exit
}
