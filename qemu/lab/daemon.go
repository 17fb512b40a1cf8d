package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

const (
	readyTimeout = 20 * time.Second
	readyPoll    = 50 * time.Millisecond
	stopTimeout  = 5 * time.Second
	maxLogRead   = 1 << 20
)

// daemon is a server that runs until its context or its stop method ends it,
// and at the latest with this process.
type daemon struct {
	name   string
	log    string // file with everything it prints
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid after done
}

// startDaemon runs a server with its output in the file log.
func startDaemon(ctx context.Context, p program, log string, args ...string) (*daemon, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	defer out.Close()
	ctx, cancel := context.WithCancel(ctx)
	c := exec.CommandContext(ctx, p.path, args...)
	c.Env = append(c.Environ(), p.env...)
	c.Stdout, c.Stderr = out, out
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = stopTimeout
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d := &daemon{name: filepath.Base(p.path), log: log, cancel: cancel, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal is tied to the thread that forked, so that
		// thread stays alive as long as the server.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(d.done)
		err := c.Start()
		started <- err
		if err == nil {
			d.err = c.Wait()
		}
	}()
	if err := <-started; err != nil {
		cancel()
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	return d, nil
}

// ready waits until the log matches and returns the submatches.
func (d *daemon) ready(ctx context.Context, pattern *regexp.Regexp) (match []string, err error) {
	err = d.poll(ctx, func() bool {
		text, _ := os.ReadFile(d.log) // no log, no match
		match = pattern.FindStringSubmatch(string(text[:min(len(text), maxLogRead)]))
		return match != nil
	})
	return match, err
}

// poll waits until the server is up. A server that does not come up is
// stopped.
func (d *daemon) poll(ctx context.Context, up func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, errors.New("not ready in time"))
	defer cancel()
	for !up() {
		select {
		case <-d.done:
			return fmt.Errorf("%s: ended before it was ready: %v; log %s", d.name, d.err, d.log)
		case <-ctx.Done():
			d.stop()
			return fmt.Errorf("%s: %w; log %s", d.name, context.Cause(ctx), d.log)
		case <-time.After(readyPoll):
		}
	}
	return nil
}

// stop ends the server and waits for it.
func (d *daemon) stop() {
	d.cancel()
	<-d.done
}
