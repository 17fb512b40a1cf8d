// Command bench runs the module's benchmarks and prints each figure as a line
//
//	result: bench.<package>.<name>.<unit> = <number> <unit>
//
// which is the form in which scripts read all of slipway's measurements.
//
// Usage: bench [PATTERN]
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	pattern := "."
	if len(os.Args) > 1 {
		pattern = os.Args[1]
	}
	if err := run(ctx, pattern); err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, pattern string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench="+pattern, "-benchmem", "-p=1", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines, readErr := results(out, os.Stdout)
	if err := cmd.Wait(); err != nil {
		return err
	}
	if readErr != nil {
		return readErr
	}
	for _, l := range lines {
		fmt.Println(l)
	}
	return nil
}

// results passes the output of go test -bench on and turns its figures into
// result lines.
func results(r io.Reader, progress io.Writer) ([]string, error) {
	var out []string
	pkg := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) == 2 && f[0] == "pkg:" {
			_, pkg, _ = strings.Cut(f[1], "/slipway/")
		}
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		fmt.Fprintln(progress, lines.Text())
		name, _, _ := strings.Cut(strings.TrimPrefix(f[0], "Benchmark"), "-")
		for i := 2; i+1 < len(f); i += 2 {
			key := pkg + "." + name + "." + strings.TrimSuffix(f[i+1], "/op")
			out = append(out, fmt.Sprintf("result: bench.%s = %s %s", clean(key), f[i], f[i+1]))
		}
	}
	return out, lines.Err()
}

var notInKey = regexp.MustCompile(`[^a-z0-9.]+`)

// clean makes a key of a path and a name: lower case, dots between the parts,
// a dash for anything else.
func clean(s string) string {
	return notInKey.ReplaceAllString(strings.ToLower(strings.ReplaceAll(s, "/", ".")), "-")
}
