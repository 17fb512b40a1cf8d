package qemu

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// patternList compiles patterns.
func patternList(list ...string) []*regexp.Regexp {
	var compiled []*regexp.Regexp
	for _, s := range list {
		compiled = append(compiled, regexp.MustCompile(s))
	}
	return compiled
}

// clocked returns a console whose clock is the bubble's.
func clocked() *console {
	start := time.Now()
	return newConsole(func() time.Duration { return time.Since(start) })
}

func TestExpectInOrder(t *testing.T) {
	c := feed("boot: one two\nlogin: root\nboot: three\n")
	for _, step := range []struct{ pattern, text, group string }{
		{`^boot: (\w+)`, "boot: one two", "one"},
		{`(\w+)$`, "boot: one two", "two"}, // the rest of the same line
		{`boot: (\w+)`, "boot: three", "three"},
	} {
		m, err := c.expect(t.Context(), patternList(step.pattern), nil)
		if err != nil || m.Line.Text != step.text || m.Groups[1] != step.group {
			t.Errorf("%s: expected %q in %q, got %+v, %v", step.pattern, step.group, step.text, m, err)
		}
	}
}

func TestExpectAny(t *testing.T) {
	c := feed("one\ntwo\nOops: three\nfour\n")
	want, fail := patternList("four", "two"), patternList("^Oops")
	m, err := c.expect(t.Context(), want, fail)
	if err != nil || m.Pattern != 1 {
		t.Errorf("expected pattern 1, got %+v, %v", m, err)
	}
	if _, err := c.expect(t.Context(), want, fail); !errors.Is(err, ErrUnwanted) || !strings.Contains(err.Error(), "Oops: three") {
		t.Errorf("expected %v with the line, got %v", ErrUnwanted, err)
	}
	if m, err := c.expect(t.Context(), patternList("Oops"), fail); err != nil {
		t.Errorf("a wanted line cannot be unwanted: got %+v, %v", m, err)
	}
}

func TestExpectWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clocked()
		go func() {
			time.Sleep(time.Second)
			c.write([]byte("uptime: 1"))
			time.Sleep(settle / 2)
			c.write([]byte("2"))
			time.Sleep(settle / 2)
			c.write([]byte("3\nlogin: "))
		}()
		m, err := c.expect(t.Context(), patternList(`uptime: (\d+)`), nil)
		if err != nil || m.Groups[1] != "123" || m.Line.At != time.Second {
			t.Errorf("expected the whole number after one second, got %+v, %v", m, err)
		}
		if m, err = c.expect(t.Context(), patternList(`login: $`), nil); err != nil {
			t.Errorf("prompt: %v", err)
		}
		if got, want := c.now(), time.Second+2*settle; got != want {
			t.Errorf("prompt: expected at %v, got it at %v", want, got)
		}
		c.write([]byte("root\n# "))
		if m, err = c.expect(t.Context(), patternList(`login`, `root`), nil); err != nil || m.Pattern != 1 {
			t.Errorf("expected the rest of the prompt's line only, got %+v, %v", m, err)
		}
	})
}

func TestExpectTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vm := &VM{opts: Options{Name: "vm"}, console: clocked()}
		vm.console.write([]byte("one\ntwo"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := vm.ExpectAny(ctx, patternList("three", "four"), patternList("five"))
		if !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("expected %v, got %v", ErrTimeout, err)
		}
		const want = "vm: expect \"three\" or \"four\": timed out: context deadline exceeded\n" +
			"last console lines:\n  [    0.000] one\n  [    0.000] two"
		if err.Error() != want {
			t.Errorf("expected %q, got %q", want, err)
		}
	})
}

func TestExpectMachineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vm := &VM{opts: Options{Name: "vm"}, console: clocked(), done: make(chan struct{})}
		go func() {
			time.Sleep(time.Second)
			vm.console.write([]byte("last words"))
			vm.console.end()
			time.Sleep(time.Second)
			vm.exit = Exit{Reason: Panic, Elapsed: time.Second}
			close(vm.done)
		}()
		_, err := vm.Expect(t.Context(), regexp.MustCompile("never"))
		if !errors.Is(err, ErrExited) || !errors.Is(err, ErrPanic) || !strings.Contains(err.Error(), "last words") {
			t.Errorf("expected %v, %v and the last words, got %v", ErrExited, ErrPanic, err)
		}
		if _, err := vm.Expect(t.Context(), regexp.MustCompile("words$")); err != nil {
			t.Errorf("what came before the end: %v", err)
		}
	})
}
