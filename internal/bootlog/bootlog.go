// Package bootlog prints what slipway does, in the form that people watch on
// a console and that tests match:
//
//	slipway: N/7 <step>: <what> (<seconds>)
//	slipway: N/7 <step>: error: <message>
//	slipway: hint: <what to do next>
//
// Start with New and one Output for each place that shall hear; call Step
// for each of the seven steps and end it with Done or Fail. While a step
// runs, Progress draws a bar on a terminal and prints a line every two
// seconds elsewhere. A Log is safe for use by several goroutines.
package bootlog

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Steps is the number of steps between power-on and the jump.
const Steps = 7

// lineInterval is the shortest time between two progress lines on an output
// that is not a terminal; barInterval the same for redrawing a bar.
const (
	lineInterval = 2 * time.Second
	barInterval  = 100 * time.Millisecond
)

// Output is one place to write to.
type Output struct {
	W io.Writer
	// Bar says that W is a screen that understands carriage return: progress
	// becomes a bar that is redrawn in place. False: progress is lines.
	Bar bool
	// Prefix is put in front of each line, as "<7>" for /dev/kmsg.
	Prefix string

	barred bool // a bar is on the screen's last line
}

// Log writes lines to all its outputs.
type Log struct {
	mu   sync.Mutex
	outs []*Output
	now  func() time.Time
	done []Record
}

// Record is a finished step, for the report.
type Record struct {
	N       int
	Name    string
	What    string // what Done was told, or the error
	Seconds float64
	Failed  bool
}

// New returns a Log that writes to outs. Write errors are ignored: a broken
// console must not stop a boot.
func New(outs ...Output) *Log {
	l := &Log{now: time.Now}
	for i := range outs {
		l.outs = append(l.outs, &outs[i])
	}
	return l
}

// Printf prints "slipway: " and the formatted text as a line of its own.
func (l *Log) Printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line("slipway: " + fmt.Sprintf(format, args...))
}

// Records returns the steps finished so far, in order.
func (l *Log) Records() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Record(nil), l.done...)
}

// Step starts step n of Steps. The time that Done prints counts from here.
func (l *Log) Step(n int, name string) *Step {
	return &Step{log: l, n: n, name: name, start: l.now()}
}

// line writes one line everywhere; the caller holds the lock.
func (l *Log) line(text string) {
	for _, o := range l.outs {
		o.line(text)
	}
}

func (o *Output) line(text string) {
	clear := ""
	if o.barred {
		clear = "\r\x1b[K"
		o.barred = false
	}
	// Several lines in one text each get their prefix, so that a message
	// from outside cannot fake a line without one.
	text = strings.ReplaceAll(sanitize(text), "\n", "\n"+o.Prefix)
	io.WriteString(o.W, clear+o.Prefix+text+"\n")
}

// sanitize keeps control characters that came from outside (a server's error
// page, a file name) off the console.
func sanitize(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r == 0x7f) {
			return '?'
		}
		return r
	}, s)
}

// Step is one of the seven steps while it runs.
type Step struct {
	log   *Log
	n     int
	name  string
	start time.Time

	lastBar, lastLine time.Time
}

// Printf prints a remark below the step, in the step's name.
func (s *Step) Printf(format string, args ...any) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.line(s.head() + fmt.Sprintf(format, args...))
}

// Done ends the step: what was reached, and how long it took.
func (s *Step) Done(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	s.end(what, false, fmt.Sprintf("%s%s (%.1f s)", s.head(), what, s.seconds()))
}

// Fail ends the step with err and, if it is not empty, what to do next.
func (s *Step) Fail(err error, hint string) {
	// Libraries begin an error with the step's name too; it is there already.
	text := s.head() + "error: " + strings.TrimPrefix(err.Error(), s.name+": ")
	if hint != "" {
		text += "\nslipway: hint: " + hint
	}
	s.end(err.Error(), true, text)
}

func (s *Step) end(what string, failed bool, text string) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.done = append(s.log.done, Record{N: s.n, Name: s.name, What: what, Seconds: s.seconds(), Failed: failed})
	s.log.line(text)
}

func (s *Step) head() string { return fmt.Sprintf("slipway: %d/%d %s: ", s.n, Steps, s.name) }

func (s *Step) seconds() float64 { return s.log.now().Sub(s.start).Seconds() }

// Progress says that done of total bytes of what are through. A total of 0
// means it is not known. It may be called as often as the caller likes.
func (s *Step) Progress(what string, done, total int64) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	bar := now.Sub(s.lastBar) >= barInterval
	line := now.Sub(s.lastLine) >= lineInterval && now.Sub(s.start) >= lineInterval
	if bar {
		s.lastBar = now
	}
	if line {
		s.lastLine = now
	}
	for _, o := range l.outs {
		switch {
		case o.Bar && bar:
			text := sanitize(s.head() + barText(what, done, total, s.seconds()))
			io.WriteString(o.W, "\r"+o.Prefix+text[:min(len(text), screenWidth)]+"\x1b[K")
			o.barred = true
		case !o.Bar && line:
			o.line(s.head() + lineText(what, done, total, s.seconds()))
		}
	}
}

// The narrowest screen has 80 columns; a bar that wrapped could not be redrawn.
const (
	screenWidth = 79
	barWidth    = 10
)

func barText(what string, done, total int64, seconds float64) string {
	if total <= 0 {
		return lineText(what, done, total, seconds)
	}
	fill := int(min(done, total) * barWidth / total)
	return fmt.Sprintf("[%s%s] %s", strings.Repeat("#", fill), strings.Repeat(".", barWidth-fill), lineText(what, done, total, seconds))
}

func lineText(what string, done, total int64, seconds float64) string {
	text := what + " " + Bytes(done)
	if total > 0 {
		text += " of " + Bytes(total)
	}
	if seconds > 0.5 && done > 0 {
		rate := float64(done) / seconds
		text += fmt.Sprintf(", %s/s", Bytes(int64(rate)))
		if total > done {
			text += fmt.Sprintf(", %.0f s left", float64(total-done)/rate)
		}
	}
	return text
}

// Bytes formats a size for people: 512 B, 1.2 MB (decimal units).
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	case n < 1000*1000*1000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	}
}
