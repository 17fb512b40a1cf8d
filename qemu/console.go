package qemu

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Ceilings of what is kept of a console.
const (
	maxLine       = 64 << 10 // a longer line is broken in two
	maxTranscript = 16 << 20 // the oldest lines are forgotten beyond this
	settle        = 200 * time.Millisecond
)

// Line is one line of the console, without escape sequences and line ends.
type Line struct {
	At   time.Duration // since power-on, when the line began
	Text string
}

// String formats a line the way the console log has it.
func (l Line) String() string { return fmt.Sprintf("[%9.3f] %s", l.At.Seconds(), l.Text) }

// console collects what the guest prints and wakes those who wait for it.
type console struct {
	out  io.Writer  // gets the raw bytes; may be nil
	log  io.Writer  // gets formatted lines; may be nil
	hook func(Line) // gets lines; may be nil
	now  func() time.Duration

	scrub scrubber

	mu      sync.Mutex
	lines   []Line // complete lines
	first   int    // the number of lines[0], counted from power-on
	size    int    // bytes in lines
	part    []byte // the line that is still being printed
	partAt  time.Duration
	last    time.Duration // when the last byte came
	cursor  position      // where the next Expect begins
	ended   bool
	changed chan struct{} // closed and replaced at every change
}

// position is a place in the transcript: a line's number and a byte in it.
type position struct{ line, offset int }

// newConsole returns an empty console whose clock is now.
func newConsole(now func() time.Duration) *console {
	return &console{now: now, changed: make(chan struct{})}
}

// copyFrom reads the console until it ends.
func (c *console) copyFrom(r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			c.write(buf[:n])
		}
		if err != nil {
			c.end()
			return
		}
	}
}

// write takes the next bytes of the console.
func (c *console) write(chunk []byte) {
	if c.out != nil {
		c.out.Write(chunk) // a closed terminal must not stop the machine
	}
	c.mu.Lock()
	before := c.first + len(c.lines)
	c.last = c.now()
	for _, b := range chunk {
		text, newline := c.scrub.next(b)
		if newline == always || newline == unlessEmpty && len(c.part) > 0 {
			c.breakLine()
		}
		if text {
			if len(c.part) == 0 {
				c.partAt = c.last
			}
			if c.part = append(c.part, b); len(c.part) >= maxLine {
				c.breakLine()
			}
		}
	}
	c.publish(before)
}

// end marks that nothing more will come.
func (c *console) end() {
	c.mu.Lock()
	before := c.first + len(c.lines)
	if len(c.part) > 0 {
		c.breakLine()
	}
	c.ended = true
	c.publish(before)
}

// breakLine completes the current line. The caller holds mu.
func (c *console) breakLine() {
	at := c.partAt
	if len(c.part) == 0 {
		at = c.last
	}
	c.lines = append(c.lines, Line{At: at, Text: strings.ToValidUTF8(string(c.part), "\uFFFD")})
	c.size += len(c.part)
	c.part = c.part[:0]
	for c.size > maxTranscript {
		c.size -= len(c.lines[0].Text)
		c.lines = c.lines[1:]
		c.first++
	}
}

// publish wakes the waiting, unlocks, and hands on the lines that are new
// since line number before.
func (c *console) publish(before int) {
	close(c.changed)
	c.changed = make(chan struct{})
	fresh := c.lines[max(before-c.first, 0):]
	c.mu.Unlock()
	for _, line := range fresh {
		if c.log != nil {
			fmt.Fprintln(c.log, line)
		}
		if c.hook != nil {
			c.hook(line)
		}
	}
}

// text returns the whole transcript.
func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, line := range c.lines {
		b.WriteString(line.Text)
		b.WriteByte('\n')
	}
	b.Write(c.part)
	return b.String()
}

// all returns the complete lines, and the unfinished one if there is any.
func (c *console) all() []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := append([]Line(nil), c.lines...)
	if len(c.part) > 0 {
		lines = append(lines, Line{At: c.partAt, Text: string(c.part)})
	}
	return lines
}

// tail formats the last lines for an error message.
func (c *console) tail(n int) string {
	lines := c.all()
	if len(lines) == 0 {
		return "the console stayed empty"
	}
	lines = lines[max(len(lines)-n, 0):]
	var b strings.Builder
	b.WriteString("last console lines:")
	for _, line := range lines {
		b.WriteString("\n  ")
		b.WriteString(line.String())
	}
	return b.String()
}
