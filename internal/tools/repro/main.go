// Command repro builds the repository twice, from copies in two directories
// with two names and two empty build caches, and compares what comes out:
// both programs, and the payloads that they make of the same parts. It exits with 1 if a
// byte differs.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/slipway-boot/slipway/internal/shape"
	"github.com/slipway-boot/slipway/internal/tools/sample"
	"github.com/slipway-boot/slipway/payload/pack"
)

// programs are what make build makes.
var programs = []string{"build/slipway", "build/slipway-init"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "repro: error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	tmp, err := os.MkdirTemp("", "slipway-repro-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	files, err := shape.Tracked(ctx, ".")
	if err != nil {
		return err
	}
	dirs := []string{filepath.Join(tmp, "one"), filepath.Join(tmp, "another/place")}
	for _, dir := range dirs { // both before the first build, so that they are of one moment
		if err := copyFiles(".", dir, files); err != nil {
			return err
		}
	}
	for i, dir := range dirs {
		fmt.Fprintf(out, "building copy %d of %d, from nothing\n", i+1, len(dirs))
		if err := build(ctx, dir); err != nil {
			return err
		}
	}
	names, err := buildPayloads(ctx, filepath.Join(tmp, "parts"), dirs, out)
	if err != nil {
		return err
	}
	return compare(out, dirs[0], dirs[1], append(names, programs...))
}

// payloads are what each copy's slipway makes of the same parts.
var payloads = []struct{ format, file string }{
	{pack.UKI, "build/payload.efi"},
	{pack.Disk, "build/payload.img"},
}

// buildPayloads builds them and returns the files to compare.
func buildPayloads(ctx context.Context, tmp string, dirs []string, out io.Writer) ([]string, error) {
	parts, err := sample.New(ctx, tmp, filepath.Join(dirs[0], programs[0]), out)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range payloads {
		for _, dir := range dirs {
			if _, err := parts.Build(ctx, filepath.Join(dir, programs[0]), p.format, filepath.Join(dir, p.file)); err != nil {
				return nil, err
			}
		}
		names = append(names, p.file, pack.SBOMPath(p.file))
	}
	return names, nil
}

func copyFiles(from, to string, files []string) error {
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// build runs make build with a cache of its own: a shared one would hand the
// first build's result to the second.
func build(ctx context.Context, dir string) error {
	cache := filepath.Join(dir, ".cache")
	defer os.RemoveAll(cache)
	_, err := sample.Run(ctx, []string{"GOCACHE=" + cache}, "make", "-C", dir, "build")
	return err
}

// compare prints the hashes of each file below two directories and fails if
// they differ.
func compare(out io.Writer, one, two string, names []string) error {
	different := 0
	for _, name := range names {
		a, err := sum(filepath.Join(one, name))
		if err != nil {
			return err
		}
		b, err := sum(filepath.Join(two, name))
		if err != nil {
			return err
		}
		verdict := "same"
		if a != b {
			verdict = "DIFFERENT, the other " + b
			different++
		}
		fmt.Fprintf(out, "%s  %s  %s\n", a, name, verdict)
	}
	fmt.Fprintf(out, "result: repro.different = %d files\n", different)
	if different > 0 {
		return fmt.Errorf("%d of %d files differ", different, len(names))
	}
	return nil
}

func sum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
