package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// summary is how one tier ended.
type summary struct {
	tier           string
	passed, failed int
	names          []string // what failed
	took           time.Duration
	times          []timing
}

// timing is how long one test took.
type timing struct {
	test
	seconds float64
}

func (s *summary) fail(what string) {
	s.failed++
	s.names = append(s.names, s.tier+": "+shorten(what))
}

// fault counts a failure that is no test's.
func (c *collector) fault(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(c.out, "FAIL  %s: %s\n", c.tier, text)
	c.sum.fail(text)
}

// faultIfClean counts a failure that no test explains.
func (c *collector) faultIfClean(format string, args ...any) {
	c.mu.Lock()
	clean := c.sum.failed == 0
	c.mu.Unlock()
	if clean {
		c.fault(format, args...)
	}
}

// note passes a line on.
func (c *collector) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "      "+format+"\n", args...)
}

// stderr is where go's own messages go.
func (c *collector) stderr() io.Writer { return noteWriter{c} }

type noteWriter struct{ c *collector }

func (w noteWriter) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	return w.c.out.Write(p)
}

// finish checks that nothing is missing and returns the summary: every
// program must have ended, every expected test must have run, and at least
// one test there must be.
func (c *collector) finish(took time.Duration, expect []test) summary {
	for _, pkg := range sortedKeys(c.programs) {
		if !c.programs[pkg].ended {
			c.fault("%s never finished", shorten(pkg))
		}
	}
	for _, t := range expect {
		if p := c.programs[t.pkg]; p == nil || p.tests[t.name] == nil {
			c.fault("%s %s did not run", shorten(t.pkg), t.name)
		}
	}
	if c.sum.passed+c.sum.failed == 0 {
		c.fault("no test ran")
	}
	c.sum.took = took
	return c.sum
}

// longest is how many tests are named at the end.
const longest = 10

// conclude prints the end of it all and returns the exit status.
func conclude(out io.Writer, sums []summary) int {
	var times []timing
	var names []string
	passed, failed := 0, 0
	for _, s := range sums {
		passed, failed = passed+s.passed, failed+s.failed
		times, names = append(times, s.times...), append(names, s.names...)
	}
	slices.SortFunc(times, func(a, b timing) int { return cmp.Compare(b.seconds, a.seconds) })
	fmt.Fprintln(out, "\nlongest tests:")
	for i, t := range times {
		if i == longest || t.seconds < 1 {
			break
		}
		fmt.Fprintf(out, "%9.1f s  %s %s\n", t.seconds, shorten(t.pkg), t.name)
	}
	if failed > 0 {
		fmt.Fprintln(out, "\nfailed:")
	}
	for _, name := range names {
		fmt.Fprintln(out, "  "+name)
	}
	fmt.Fprintln(out)
	for _, s := range sums {
		fmt.Fprintf(out, "%-10s %5d passed %5d failed %8.0f s\n", s.tier, s.passed, s.failed, s.took.Seconds())
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return 1
	}
	return 0
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
