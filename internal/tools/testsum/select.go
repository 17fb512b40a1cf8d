package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// test names one test of one package.
type test struct{ pkg, name string }

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath, Dir           string
	TestGoFiles, XTestGoFiles []string
}

// tagged lists the tests that exist with t's build tags and do not without
// them. A package's other tests belong to the unit tier.
func (t tier) tagged(ctx context.Context) ([]test, error) {
	without, err := t.list(ctx, "")
	if err != nil {
		return nil, err
	}
	with, err := t.list(ctx, t.tags)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, p := range without {
		for _, file := range p.files() {
			known[file] = true
		}
	}
	var out []test
	for _, p := range with {
		for _, file := range p.files() {
			if known[file] {
				continue
			}
			names, err := testsIn(file)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				out = append(out, test{p.ImportPath, name})
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no test has the build tag %s", t.tags)
	}
	return out, nil
}

func (p goPackage) files() []string {
	var out []string
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		out = append(out, filepath.Join(p.Dir, name))
	}
	return out
}

// list lists the tier's packages as they are with these build tags.
func (t tier) list(ctx context.Context, tags string) ([]goPackage, error) {
	args := append([]string{"list", "-e", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles", "-tags", tags}, t.packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

// testsIn returns the names of the test functions in a file.
func testsIn(file string) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
			names = append(names, fn.Name.Name)
		}
	}
	return names, nil
}
