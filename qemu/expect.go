package qemu

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// tailLines is how much of the console an error message quotes.
const tailLines = 15

// Match is what Expect found.
type Match struct {
	Line    Line
	Pattern int      // index of the pattern that matched
	Groups  []string // the match and its parenthesized parts
}

// Expect waits for a console line that matches want, beginning where the last
// match ended. Patterns see one line at a time; a line without its line end,
// such as a prompt, counts once it has been still for a moment. The error is
// ErrTimeout when ctx ends first and ErrExited (with ErrPanic) when the
// machine does; both quote the last console lines.
func (vm *VM) Expect(ctx context.Context, want *regexp.Regexp) (Match, error) {
	return vm.ExpectAny(ctx, []*regexp.Regexp{want}, nil)
}

// ExpectAny is Expect for several patterns. A line that matches none of want
// but one of fail ends the wait with ErrUnwanted.
func (vm *VM) ExpectAny(ctx context.Context, want, fail []*regexp.Regexp) (Match, error) {
	m, err := vm.console.expect(ctx, want, fail)
	if errors.Is(err, ErrExited) {
		<-vm.done // the console ends a moment before the process
		err = vm.exitError()
	}
	if err != nil {
		return Match{}, fmt.Errorf("%s: expect %s: %w\n%s", vm.opts.Name, patterns(want), err, vm.console.tail(tailLines))
	}
	return m, nil
}

// patterns quotes patterns for an error message.
func patterns(list []*regexp.Regexp) string {
	quoted := make([]string, len(list))
	for i, re := range list {
		quoted[i] = fmt.Sprintf("%q", re)
	}
	return strings.Join(quoted, " or ")
}

// expect waits for a line; a bare ErrExited means that the console ended.
func (c *console) expect(ctx context.Context, want, fail []*regexp.Regexp) (Match, error) {
	c.mu.Lock()
	at := c.cursor
	c.mu.Unlock()
	for {
		c.mu.Lock()
		m, found, err := c.scan(&at, want, fail)
		changed, ended, still := c.changed, c.ended, c.stillIn()
		if found {
			c.cursor = at
		}
		c.mu.Unlock()
		switch {
		case found || err != nil:
			return m, err
		case ended:
			return Match{}, ErrExited
		}
		timer := time.NewTimer(still)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Match{}, fmt.Errorf("%w: %w", ErrTimeout, context.Cause(ctx))
		}
		timer.Stop()
	}
}

// stillIn returns how long the unfinished line must stay unchanged until it
// may match. The caller holds mu.
func (c *console) stillIn() time.Duration {
	left := c.last + settle - c.now()
	if len(c.part) == 0 || left <= 0 {
		return time.Hour // nothing to settle: only a change or ctx wakes us
	}
	return left
}

// scan looks at the lines from *at on and moves it behind what it has seen.
// The caller holds mu.
func (c *console) scan(at *position, want, fail []*regexp.Regexp) (Match, bool, error) {
	if at.line < c.first {
		*at = position{line: c.first}
	}
	for ; at.line < c.first+len(c.lines); *at = (position{line: at.line + 1}) {
		m, found, err := examine(c.lines[at.line-c.first], at, want, fail)
		if found || err != nil {
			return m, found, err
		}
	}
	if len(c.part) == 0 || c.now() < c.last+settle {
		return Match{}, false, nil
	}
	return examine(Line{At: c.partAt, Text: string(c.part)}, at, want, fail)
}

// examine matches one line. On a match it moves *at behind it.
func examine(line Line, at *position, want, fail []*regexp.Regexp) (Match, bool, error) {
	text := line.Text[min(at.offset, len(line.Text)):]
	for i, re := range want {
		if loc := re.FindStringSubmatchIndex(text); loc != nil {
			at.offset += loc[1]
			return Match{Line: line, Pattern: i, Groups: re.FindStringSubmatch(text)}, true, nil
		}
	}
	for _, re := range fail {
		if re.MatchString(text) {
			return Match{}, false, fmt.Errorf("%w: %q matches %q", ErrUnwanted, line.Text, re)
		}
	}
	return Match{}, false, nil
}
