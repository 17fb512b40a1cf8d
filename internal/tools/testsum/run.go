package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// heartbeat is how often a quiet terminal is told what is still running.
const heartbeat = 30 * time.Second

// maxEvent bounds one line of go test -json.
const maxEvent = 64 << 20

// run runs the tier's tests and prints how they go.
func (t tier) run(ctx context.Context, out io.Writer) summary {
	start := time.Now()
	c := newCollector(out, t.name)
	expect, args, err := t.command(ctx)
	if err != nil {
		c.fault("%v", err)
		return c.finish(time.Since(start), nil)
	}
	fmt.Fprintf(out, "== %s\n", t.describe(args, expect))
	if err := t.follow(ctx, args, c); err != nil {
		c.faultIfClean("go test: %v", err)
	}
	return c.finish(time.Since(start), expect)
}

// describe says what is about to run. The command that selects tests by name
// is too long for a person.
func (t tier) describe(args []string, expect []test) string {
	if len(expect) == 0 {
		return t.name + ": go " + quoted(args)
	}
	var in []string
	for _, pkg := range packagesOf(expect) {
		in = append(in, shorten(pkg))
	}
	return fmt.Sprintf("%s: %d tests with the build tags %s in %s", t.name, len(expect), t.tags, strings.Join(in, ", "))
}

// command returns the arguments for go and, where a tag selects the tests,
// those that have to run.
func (t tier) command(ctx context.Context) (expect []test, args []string, err error) {
	args = []string{"test", "-json", "-count=1"}
	packages := t.packages
	if t.tags != "" {
		if expect, err = t.tagged(ctx); err != nil {
			return nil, nil, err
		}
		args = append(args, "-tags="+t.tags, "-run="+pattern(expect))
		packages = packagesOf(expect)
	}
	if t.root && os.Geteuid() != 0 {
		args = append(args, "-exec="+strings.Join(sudo(), " "))
	}
	return expect, slices.Concat(args, t.flags, packages), nil
}

// sudo is what runs a test program as root: with a PATH on which it finds go,
// and with the environment that docs/testing.md names.
func sudo() []string {
	return []string{"sudo", "--preserve-env=CI,SLIPWAY_CACHE,http_proxy,https_proxy,no_proxy,GOPROXY,GOFLAGS,GOTOOLCHAIN",
		"env", "'PATH=" + os.Getenv("PATH") + "'"}
}

// packagesOf lists the packages of the tests, each once.
func packagesOf(tests []test) []string {
	var out []string
	for _, t := range tests {
		out = append(out, t.pkg)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// pattern matches exactly the names of these tests.
func pattern(tests []test) string {
	var names []string
	for _, t := range tests {
		names = append(names, t.name)
	}
	slices.Sort(names)
	return "^(" + strings.Join(slices.Compact(names), "|") + ")$"
}

// follow runs go and feeds what it says to c, with a heartbeat.
func (t tier) follow(ctx context.Context, args []string, c *collector) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = c.stderr()
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	var beat sync.WaitGroup
	beat.Go(func() {
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.beat()
			case <-done:
				return
			}
		}
	})
	readErr := decode(stdout, c)
	close(done)
	beat.Wait()
	if err := cmd.Wait(); err != nil {
		return err
	}
	return readErr
}

// decode reads events; a line that is none is passed on as it is.
func decode(r io.Reader, c *collector) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			c.note("%s", lines.Text())
			continue
		}
		c.add(e)
	}
	return lines.Err()
}

// quoted shows arguments so that a shell reads them back.
func quoted(args []string) string {
	var out []string
	for _, a := range args {
		if strings.ContainsAny(a, " ()|$^'\"*") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}
