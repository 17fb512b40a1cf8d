// Command check looks at the whole repository the way a reviewer would before
// reading: formatting, vet, staticcheck, known vulnerabilities, the module
// file, import direction, doc comments, links in documents, words that do not
// belong, and the shape figures. It prints every finding and exits with 1 if
// there is one. It changes nothing.
//
// Usage: check [STEP...]
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout))
}

// step is one check. It returns what it found, and a note for what it could
// not look at; an error means that it could not run at all.
type step struct {
	name string
	run  func(context.Context) (findings []string, note string, err error)
}

// run runs the named steps, or all, and returns the exit status.
func run(ctx context.Context, names []string, out io.Writer) int {
	status := 0
	for _, name := range names {
		if !slices.ContainsFunc(steps, func(s step) bool { return s.name == name }) {
			fmt.Fprintf(out, "check: error: no step %q\n", name)
			return 2
		}
	}
	for _, s := range steps {
		if len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		if !s.report(ctx, out) {
			status = 1
		}
	}
	return status
}

// report runs a step and says whether all is well.
func (s step) report(ctx context.Context, out io.Writer) bool {
	start := time.Now()
	findings, note, err := s.run(ctx)
	if err != nil {
		findings = append(findings, "could not run: "+err.Error())
	}
	verdict := "ok"
	if len(findings) > 0 {
		verdict = "FAIL"
	} else if note != "" && strings.HasPrefix(note, notChecked) {
		verdict = "--"
	}
	fmt.Fprintf(out, "%-4s %-12s %5.1f s\n", verdict, s.name, time.Since(start).Seconds())
	for _, f := range findings {
		fmt.Fprintln(out, "     "+f)
	}
	if note != "" {
		fmt.Fprintln(out, strings.TrimRight(note, "\n"))
	}
	return len(findings) == 0
}
