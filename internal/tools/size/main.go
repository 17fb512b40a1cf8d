// Command size says how large /init is, what of it each Go package takes, and
// how that compares with the budget of docs/performance.md. It wants the
// programs that make build leaves in build, and the program xz.
//
// Its last lines are figures for scripts: result: NAME = NUMBER UNIT.
package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

// program is /init as make build leaves it.
const program = "build/slipway-init"

// budget is the most that /init may take after xz -9.
const budget = 2_800_000

// shown is how many packages the list has.
const shown = 30

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "size: error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	stripped, err := os.Stat(program)
	if err != nil {
		return err
	}
	full, shares, err := takeApart(ctx)
	if err != nil {
		return err
	}
	packed, err := xz(ctx, program)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s by package, before compression:\n", program)
	fmt.Fprint(out, table(shares))
	fmt.Fprintf(out, "\nbudget: %d of %d bytes, %.1f %%\n", packed, budget, 100*float64(packed)/budget)
	for _, r := range []share{{"init", stripped.Size()}, {"init-with-symbols", full}, {"init-xz", packed}} {
		fmt.Fprintf(out, "result: size.%s = %d bytes\n", r.name, r.bytes)
	}
	return nil
}

// takeApart builds the program again with its symbols and sums them up.
func takeApart(ctx context.Context) (size int64, shares []share, err error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return 0, nil, err
	}
	dir, err := os.MkdirTemp("", "slipway-size-")
	if err != nil {
		return 0, nil, err
	}
	defer os.RemoveAll(dir)
	full := filepath.Join(dir, "init")
	args := []string{"build", "-trimpath", "-o", full}
	for _, s := range info.Settings {
		if s.Key == "-tags" || s.Key == "-gcflags" {
			args = append(args, s.Key+"="+s.Value)
		}
	}
	if _, err := output(ctx, "go", append(args, info.Path)...); err != nil {
		return 0, nil, err
	}
	f, err := os.Open(full)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, nil, err
	}
	shares, err = bySymbol(f)
	return st.Size(), shares, err
}

// xz returns how large a file is after xz -9.
func xz(ctx context.Context, file string) (int64, error) {
	packed, err := output(ctx, "xz", "-9", "--stdout", file)
	if err != nil {
		return 0, fmt.Errorf("%w (Debian's package xz-utils has it)", err)
	}
	return int64(len(packed)), nil
}

func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
