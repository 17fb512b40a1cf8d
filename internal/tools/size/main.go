// Command size says how large /init is, what of it each Go package takes, how
// that compares with the budget, and what the parts of a payload weigh. It
// wants the programs that make size leaves in build, and the program xz.
//
// Its last lines are figures for scripts: result: NAME = NUMBER UNIT.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/slipway-boot/slipway/internal/tools/sample"
	"github.com/slipway-boot/slipway/payload/pack"
)

// What make leaves in build: /init, the same with its symbols, the operator's
// tool.
const (
	program     = "build/slipway-init"
	withSymbols = "build/slipway-init.symbols"
	slipway     = "build/slipway"
)

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
	full, shares, err := takeApart(withSymbols)
	if err != nil {
		return err
	}
	packed, err := xz(ctx, program)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s by package, before compression:\n", program)
	fmt.Fprint(out, table(shares))
	uki, err := payload(ctx, out)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n/init after xz -9: %.1f %% of the budget of %d bytes\n", 100*float64(packed)/budget, budget)
	for _, r := range []share{{"init", stripped.Size()}, {"init-with-symbols", full}, {"init-xz", packed}, {"uki", uki}} {
		fmt.Fprintf(out, "result: size.%s = %d bytes\n", r.name, r.bytes)
	}
	return nil
}

// payload builds a UKI of the host's Debian kernel and the default modules,
// and shows its parts.
func payload(ctx context.Context, out io.Writer) (size int64, err error) {
	dir, err := os.MkdirTemp("", "slipway-size-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	parts, err := sample.New(ctx, filepath.Join(dir, "parts"), slipway, out)
	if err != nil {
		return 0, err
	}
	text, err := parts.Build(ctx, slipway, pack.UKI, filepath.Join(dir, "payload.efi"))
	if err != nil {
		return 0, err
	}
	var r pack.Result
	if err := json.Unmarshal(text, &r); err != nil {
		return 0, fmt.Errorf("slipway payload build: %w", err)
	}
	fmt.Fprintf(out, "\nUKI with kernel %s, %d modules:\n", r.Release, len(r.Modules))
	for _, p := range r.Parts {
		fmt.Fprintf(out, "  %9d  %s\n", p.Size, p.Name)
	}
	fmt.Fprintf(out, "  %9d  in all\n", r.Size)
	return r.Size, nil
}

// takeApart sums up the symbols of a program.
func takeApart(file string) (size int64, shares []share, err error) {
	f, err := os.Open(file)
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
	packed, err := sample.Run(ctx, nil, "xz", "-9", "--stdout", file)
	if err != nil {
		return 0, fmt.Errorf("%w (Debian's package xz-utils has it)", err)
	}
	return int64(len(packed)), nil
}
