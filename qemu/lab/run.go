package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	stderrTail = 8 // lines of a failed program quoted in the error
	killDelay  = 10 * time.Second
	maxLine    = 64 << 10
)

// sbin holds the directories that a normal user's PATH lacks on Debian.
const sbin = "/usr/sbin:/sbin"

// tool finds a program in PATH and in the system directories; pkg is the
// Debian package named when it is missing.
func tool(name, pkg string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, dir := range filepath.SplitList(sbin) {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w: %s: apt-get install %s", ErrTool, name, pkg)
}

// cmd is one run of a host program, in the C locale and without questions.
type cmd struct {
	args   []string
	dir    string
	env    []string
	stdout io.Writer    // nil: returned by run
	line   func(string) // receives lines of standard error as they come
}

func run(ctx context.Context, args ...string) ([]byte, error) {
	return cmd{args: args}.run(ctx)
}

// run returns standard output, also that of a program that failed. The error of a program that failed quotes the
// end of what it wrote to standard error.
func (c cmd) run(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	p := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	p.Dir = c.dir
	p.Env = append(p.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true")
	p.Env = append(p.Env, c.env...)
	p.Cancel = func() error { return p.Process.Signal(syscall.SIGTERM) }
	p.WaitDelay = killDelay
	p.Stdout = &out
	if c.stdout != nil {
		p.Stdout = c.stdout
	}
	tail := &tailWriter{line: c.line}
	p.Stderr = tail
	err := p.Run()
	tail.flush()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(c.args[0]), ctx.Err())
	}
	if err != nil {
		return out.Bytes(), fmt.Errorf("%s: %w: %s", filepath.Base(c.args[0]), err, strings.Join(tail.last, "; "))
	}
	return out.Bytes(), nil
}

// tailWriter keeps the last lines written to it and passes each one on.
type tailWriter struct {
	line func(string)
	last []string
	part []byte
}

func (t *tailWriter) Write(p []byte) (int, error) {
	t.part = append(t.part, p...)
	for {
		i := bytes.IndexAny(t.part, "\r\n")
		if i < 0 && len(t.part) <= maxLine {
			return len(p), nil
		}
		if i < 0 {
			i = len(t.part) - 1
		}
		t.add(string(t.part[:i]))
		t.part = t.part[i+1:]
	}
}

func (t *tailWriter) flush() {
	t.add(string(t.part))
	t.part = nil
}

func (t *tailWriter) add(line string) {
	line = strings.TrimSpace(line)
	if line == "" {
		return
	}
	if t.line != nil {
		t.line(line)
	}
	if len(t.last) == stderrTail {
		t.last = t.last[1:]
	}
	t.last = append(t.last, line)
}
