// Command testsum runs tiers of tests and says plainly how they ended: one
// line a package or long test while they run, the whole output of what failed,
// the longest tests, and as its last line
//
//	N passed, N failed
//
// It exits with 0 only if every test of every tier ran and passed. A test that
// was skipped, never finished or never started counts as failed, and so do a
// package that does not build and a tier without tests: a machine that cannot
// run a tier shall say so. Exit status 2 is a wrong call.
//
// Usage: testsum TIER...
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const exitUsage = 2

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the named tiers and returns the exit status.
func run(ctx context.Context, names []string, stdout, stderr io.Writer) int {
	todo, err := pick(names)
	if err != nil {
		fmt.Fprintf(stderr, "testsum: error: %v\n", err)
		return exitUsage
	}
	var sums []summary
	for _, t := range todo {
		sums = append(sums, t.run(ctx, stdout))
	}
	return conclude(stdout, sums)
}
