package shape

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
	"github.com/slipway-boot/slipway/qemu"
)

// These tests compare the documents with the code: what a user can write or
// meet must be described.

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mention fails for each word that the document does not hold.
func mention(t *testing.T, doc string, words []string) {
	t.Helper()
	if len(words) == 0 {
		t.Errorf("%s: nothing to look for: the code has changed its form", doc)
	}
	text := read(t, doc)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not mention %q", doc, w)
		}
	}
}

// calls lists the string literal at place arg of the calls in a folder whose
// function's name matches.
func calls(t *testing.T, dir, name string, arg int) []string {
	t.Helper()
	matches := regexp.MustCompile("^" + name + "$")
	var out []string
	inspect(t, dir, func(n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) <= arg {
			return
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if ok && matches.MatchString(f.Sel.Name) {
			out = append(out, literals(call.Args[arg])...)
		}
	})
	return out
}

func inspect(t *testing.T, dir string, visit func(ast.Node)) {
	t.Helper()
	src, err := Parse(os.DirFS(filepath.Join(root, dir)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range src.files {
		if f.isTest() || f.dir() != "." {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}

// literals returns the value of an expression that is a string literal.
func literals(e ast.Expr) []string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if s, err := strconv.Unquote(lit.Value); err == nil {
			return []string{s}
		}
	}
	return nil
}

func TestConfigKeysAreDocumented(t *testing.T) {
	const page = "docs/man/slipway.toml.5.md"
	err := config.Defaults().ParseCmdline("slipway.zzzzzzzzzzzz=1", "test")
	if err == nil {
		t.Fatal("expected an error that lists the keys")
	}
	_, list, _ := strings.Cut(err.Error(), "known are ")
	var rows []string
	for _, key := range append(strings.Split(list, ", "), "schema", "cmdline") {
		rows = append(rows, "| `"+key+"` | ")
	}
	mention(t, page, rows)
	text := read(t, page)
	for _, v := range config.Defaults().Values() {
		row := regexp.MustCompile("(?m)^\\| `" + v.Key + "` \\| [^|]* \\| `([^`]*)`").FindStringSubmatch(text)
		if row == nil || row[1] != v.Value {
			t.Errorf("%s: %s: expected the default %q, got %q", page, v.Key, v.Value, row)
		}
	}
}

func TestErrorsAndHintsAreDocumented(t *testing.T) {
	const page = "docs/boot-sequence.md"
	for _, dir := range []string{"oci", "payload", "payload/config", "kexecer"} {
		var messages []string
		inspect(t, dir, func(n ast.Node) {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Err") || len(spec.Values) != 1 {
				return
			}
			if call, ok := spec.Values[0].(*ast.CallExpr); ok {
				messages = append(messages, literals(call.Args[0])...)
			}
		})
		mention(t, page, messages)
	}
	var hints []string
	inspect(t, "payload", func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "hints" {
			return
		}
		for _, row := range spec.Values[0].(*ast.CompositeLit).Elts {
			hints = append(hints, literals(row.(*ast.CompositeLit).Elts[1])...)
		}
	})
	mention(t, page, hints)
}

func TestStepsAreDocumented(t *testing.T) {
	steps := calls(t, "payload", "begin", 1)
	if len(steps) != 7 {
		t.Errorf("expected seven steps, got %q", steps)
	}
	mention(t, "docs/boot-sequence.md", steps)
	mention(t, "README.md", steps)
}

func TestReportIsDocumented(t *testing.T) {
	var fields []string
	for _, name := range tags(reflect.TypeFor[report.Report](), "json", "") {
		fields = append(fields, "`"+name+"`")
	}
	mention(t, "docs/contracts.md", fields)
}

func TestPolicyIsDocumented(t *testing.T) {
	var rows []string
	for _, name := range tags(reflect.TypeFor[oci.BootPolicy](), "toml", "") {
		rows = append(rows, "| `"+name+"` | ")
	}
	mention(t, "docs/man/boot-policy.toml.5.md", rows)
}

// tags lists the names that a struct's fields have in a file. Of a table only
// the keys count.
func tags(t reflect.Type, tag, prefix string) []string {
	var out []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
		inner := f.Type
		for inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		switch {
		case inner.Kind() != reflect.Struct:
			out = append(out, prefix+name)
		case tag == "toml":
			out = append(out, tags(inner, tag, name+".")...)
		default:
			out = append(append(out, name), tags(inner, tag, "")...)
		}
	}
	return out
}

func TestPathsAreDocumented(t *testing.T) {
	var paths []string
	inspect(t, "internal/layout", func(n ast.Node) {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, v := range spec.Values {
				paths = append(paths, literals(v)...)
			}
		}
	})
	mention(t, "docs/contracts.md", paths)

	var variables []string
	inspect(t, "payload", func(n ast.Node) {
		if spec, ok := n.(*ast.ValueSpec); ok && spec.Names[0].Name == "configVar" {
			variables = literals(spec.Values[0])
		}
	})
	mention(t, "docs/contracts.md", variables)
	mention(t, "docs/man/slipway.toml.5.md", variables)
	mention(t, "docs/testing.md", []string{qemu.ConsoleFile, qemu.ReportFile, qemu.ErrorsFile, qemu.VarsFile, qemu.RepeatFile})
}

// TestREADME keeps the first page a page.
func TestREADME(t *testing.T) {
	const most = 120
	if n := strings.Count(read(t, "README.md"), "\n"); n > most {
		t.Errorf("expected at most %d lines, got %d", most, n)
	}
}

// TestMakefile holds the rule that the Makefile decides nothing, and that
// documents name targets that exist.
func TestMakefile(t *testing.T) {
	const most, mostRecipe = 100, 3
	text := read(t, "Makefile")
	if n := strings.Count(text, "\n"); n > most {
		t.Errorf("expected at most %d lines, got %d", most, n)
	}
	var targets []string
	recipe := 0
	for line := range strings.Lines(text) {
		if m := regexp.MustCompile(`^([a-z0-9-]+):`).FindStringSubmatch(line); m != nil {
			targets = append(targets, m[1])
			if !strings.Contains(line, "## ") {
				t.Errorf("target %s: expected a ## comment for make help", m[1])
			}
		}
		if recipe++; !strings.HasPrefix(line, "\t") {
			recipe = 0
		}
		if recipe > mostRecipe {
			t.Errorf("target %s: expected at most %d lines", targets[len(targets)-1], mostRecipe)
		}
	}
	docs, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(docs, filepath.Join(root, "README.md")) {
		name, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)(?:`|^)make ([a-z0-9-]+)").FindAllStringSubmatch(read(t, name), -1) {
			if !slices.Contains(targets, m[1]) {
				t.Errorf("%s: make %s: no such target", name, m[1])
			}
		}
	}
}
