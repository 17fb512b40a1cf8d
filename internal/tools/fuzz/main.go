// Command fuzz runs every fuzz target of the module, one after another, each
// for the same time, and names those that failed.
//
// Usage: fuzz [-time DURATION]
package main

import (
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	each := flag.Duration("time", 30*time.Second, "how long each target runs")
	flag.Parse()
	if err := run(ctx, *each); err != nil {
		fmt.Fprintf(os.Stderr, "fuzz: error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, each time.Duration) error {
	all, err := targets(os.DirFS("."))
	if err != nil {
		return err
	}
	var failed []string
	for i, t := range all {
		fmt.Printf("== %d of %d: %s %s, %s\n", i+1, len(all), t.dir, t.name, each)
		cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-fuzz=^"+t.name+"$", "-fuzztime="+each.String(), "./"+t.dir)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if cmd.Run() != nil {
			failed = append(failed, t.dir+" "+t.name)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Printf("result: fuzz.targets = %d targets\nresult: fuzz.failed = %d targets\n", len(all), len(failed))
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// target is one fuzz target: a function in a directory's tests.
type target struct{ dir, name string }

// targets finds the fuzz targets in the test files of a source tree.
func targets(src fs.FS) ([]target, error) {
	var out []target
	err := fs.WalkDir(src, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || name == "build"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(src, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				out = append(out, target{path.Dir(name), fn.Name.Name})
			}
		}
		return nil
	})
	return out, err
}
