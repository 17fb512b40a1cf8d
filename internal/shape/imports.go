package shape

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Module is the path of this repository's module.
const Module = "github.com/slipway-boot/slipway"

// layers are the folders of the module from bottom to top. A package imports
// only from its own folder and from lower layers, so that two folders of one
// layer (oci and kexecer, for one) never know each other.
var layers = [][]string{
	{"internal"},
	{"oci", "kexecer", "firmware-flash"},
	{"payload", "b2c"},
	{"qemu"},
	{"cmd"},
}

// special are packages that live outside of the layers: development tools,
// which no other package imports.
var special = []string{"internal/tools", "internal/shape"}

// neverImport says what packages below a prefix must not have among their
// dependencies, direct or not. Prefixes without a dot are of this module.
var neverImport = []struct {
	who    string
	banned []string
	why    string
}{
	{"cmd/init", []string{"qemu", "github.com/spf13/cobra", "github.com/diskfs/go-diskfs", "github.com/erofs/go-erofs"}, "the loader stays small"},
	{"b2c", []string{"qemu"}, "product code does not know QEMU"},
	{"payload", []string{"qemu"}, "product code does not know QEMU"},
}

// onlyStandard are packages that use the standard library and nothing else.
var onlyStandard = []string{"qemu"}

// Package is what go list says of a package.
type Package struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

// List runs go list for all packages of the module in dir, without tests, for
// Linux and without cgo.
func List(ctx context.Context, dir string) ([]Package, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	var all []Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

// Imports returns the imports that go the wrong way.
func Imports(packages []Package) []Finding {
	standard := map[string]bool{}
	for _, p := range packages {
		standard[p.ImportPath] = p.Standard
	}
	var out []Finding
	for _, p := range packages {
		name, ok := local(p.ImportPath)
		if !ok {
			continue
		}
		for _, imported := range p.Imports {
			if to, ok := local(imported); ok && !mayImport(name, to) {
				out = append(out, found(name, "imports %s: imports go one way, cmd → payload, b2c → oci, kexecer → internal", to))
			}
			if slices.Contains(onlyStandard, name) && !standard[imported] {
				out = append(out, found(name, "imports %s: expected the standard library only", imported))
			}
		}
		out = append(out, banned(name, p.Deps)...)
	}
	return out
}

// banned applies the table neverImport to one package.
func banned(name string, deps []string) []Finding {
	var out []Finding
	for _, rule := range neverImport {
		if !below(name, rule.who) {
			continue
		}
		for _, dep := range deps {
			if to, ok := local(dep); ok {
				dep = to
			}
			if slices.ContainsFunc(rule.banned, func(b string) bool { return below(dep, b) }) {
				out = append(out, found(name, "depends on %s: %s", dep, rule.why))
			}
		}
	}
	return out
}

// local returns a package's path inside the module.
func local(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, Module)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// below reports whether a path is prefix or lies below it.
func below(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func mayImport(from, to string) bool {
	for _, s := range special {
		if below(to, s) {
			return below(from, s)
		}
		if below(from, s) {
			return true
		}
	}
	fromLayer, fromFolder := layerOf(from)
	toLayer, toFolder := layerOf(to)
	if toFolder == "qemu" && fromFolder == "cmd" && from != "cmd/slipway" {
		return false
	}
	return fromFolder == toFolder || toLayer < fromLayer
}

// layerOf returns the number of a package's layer and its folder; a folder
// that no layer names is above all.
func layerOf(name string) (int, string) {
	folder, _, _ := strings.Cut(name, "/")
	for i, layer := range layers {
		if slices.Contains(layer, folder) {
			return i, folder
		}
	}
	return len(layers), folder
}
