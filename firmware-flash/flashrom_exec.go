package flash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// maxFlashromOutput is how much of flashrom's output is kept.
	maxFlashromOutput = 64 << 10
	// maxFlashromReason is how many of its lines an error quotes.
	maxFlashromReason = 3
	// flashromGrace is how long a killed flashrom may take to end.
	flashromGrace = 5 * time.Second
)

// findFlashrom returns the program's path. Debian keeps it where ordinary
// users do not search.
func findFlashrom(name string) (string, error) {
	candidates := []string{name}
	if name == "" {
		candidates = []string{"flashrom", "/usr/sbin/flashrom", "/usr/local/sbin/flashrom"}
	}
	var first error
	for _, c := range candidates {
		path, err := exec.LookPath(c)
		if err == nil {
			return path, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", fmt.Errorf("%w: %w (install the package flashrom)", ErrTool, first)
}

// run calls flashrom and returns what it wrote to its standard output. Signals
// of the terminal do not reach it.
func (f *Flashrom) run(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	all := []string{"-p", f.o.Programmer}
	if f.o.Chip != "" {
		all = append(all, "-c", f.o.Chip)
	}
	cmd := exec.CommandContext(ctx, f.program, append(all, args...)...)
	cmd.Dir = f.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = flashromGrace
	var stdout, stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	what := strings.Join(args, " ")
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "", fmt.Errorf("flashrom %s: no end: %w: %w", what, ErrBusy, ctx.Err())
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("flashrom %s: %w", what, ctx.Err())
	}
	return "", fmt.Errorf("%w: flashrom %s: %w: %s", ErrTool, what, err, reason(stdout.String()+stderr.String()))
}

// tail is a writer that keeps the end.
type tail struct{ text bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.text.Write(p)
	if extra := t.text.Len() - maxFlashromOutput; extra > 0 {
		t.text.Next(extra)
	}
	return len(p), nil
}

func (t *tail) String() string { return t.text.String() }

// reason picks the lines that tell what went wrong from what flashrom always
// says.
func reason(output string) string {
	telling := regexp.MustCompile(`(?i)error|fail|unknown|unsupported|cannot|can't|not found|no such|no eeprom|denied|multiple|please specify`)
	var lines []string
	last := ""
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		last = line
		if telling.MatchString(line) && !strings.HasPrefix(line, "flashrom ") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return last
	}
	return strings.Join(lines[:min(len(lines), maxFlashromReason)], "; ")
}

// Protected asks for the chip's status registers. flashrom lifts such a
// protection by itself before it writes, so what is found here was meant.
func (f *Flashrom) Protected() ([]Range, error) {
	out, err := f.run(context.Background(), "--wp-status")
	if err != nil {
		for _, text := range []string{"not implemented for this chip", "unknown WP error"} {
			if strings.Contains(err.Error(), text) {
				return nil, fmt.Errorf("%w: flashrom cannot tell what is protected", errors.ErrUnsupported)
			}
		}
		return nil, err
	}
	return parseProtection(out, f.size)
}

// parseProtection reads the answer to --wp-status.
func parseProtection(out string, size int64) ([]Range, error) {
	m := regexp.MustCompile(`start=0x([0-9a-fA-F]+) length=0x([0-9a-fA-F]+)`).FindStringSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("%w: flashrom --wp-status: expected a range, got %q", ErrTool, reason(out))
	}
	start, err := strconv.ParseInt(m[1], 16, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: flashrom --wp-status: %w", ErrTool, err)
	}
	length, err := strconv.ParseInt(m[2], 16, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: flashrom --wp-status: %w", ErrTool, err)
	}
	if start > size || length > size-start {
		return nil, fmt.Errorf("%w: flashrom --wp-status: expected a range below %#x, got %#x bytes at %#x", ErrTool, size, length, start)
	}
	if length == 0 {
		return nil, nil
	}
	return []Range{{start, length}}, nil
}
