package shape

import (
	"strings"
	"testing"
	"testing/fstest"
)

func tree(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func lines(list []Finding) string {
	var out []string
	for _, f := range list {
		out = append(out, f.String())
	}
	return strings.Join(out, "\n")
}

func TestImports(t *testing.T) {
	const m = Module + "/"
	for _, c := range []struct {
		name string
		p    Package
		want string // "" means fine
	}{
		{"down", Package{ImportPath: m + "payload", Imports: []string{m + "oci", m + "internal/cpio", m + "payload/config", "fmt"}}, ""},
		{"up", Package{ImportPath: m + "internal/cpio", Imports: []string{m + "oci"}}, "internal/cpio: imports oci"},
		{"sideways", Package{ImportPath: m + "oci", Imports: []string{m + "kexecer"}}, "oci: imports kexecer"},
		{"flash", Package{ImportPath: m + "kexecer", Imports: []string{m + "firmware-flash"}}, "kexecer: imports firmware-flash"},
		{"product to qemu", Package{ImportPath: m + "payload", Imports: []string{m + "qemu"}}, "payload: imports qemu"},
		{"operator to lab", Package{ImportPath: m + "cmd/slipway", Imports: []string{m + "qemu/lab"}}, ""},
		{"init to qemu", Package{ImportPath: m + "cmd/init", Imports: []string{m + "qemu"}}, "cmd/init: imports qemu"},
		{"tool", Package{ImportPath: m + "internal/tools/needs", Imports: []string{m + "qemu/lab"}}, ""},
		{"to a tool", Package{ImportPath: m + "payload", Imports: []string{m + "internal/shape"}}, "payload: imports internal/shape"},
		{"lab", Package{ImportPath: m + "qemu/lab", Imports: []string{m + "oci", m + "qemu", "github.com/x/y"}}, ""},
		{"harness", Package{ImportPath: m + "qemu", Imports: []string{"github.com/x/y"}}, "qemu: imports github.com/x/y"},
		{"weight", Package{ImportPath: m + "cmd/init", Deps: []string{"github.com/spf13/cobra"}}, "depends on github.com/spf13/cobra"},
		{"indirect qemu", Package{ImportPath: m + "payload/disk", Deps: []string{m + "qemu/lab"}}, "depends on qemu/lab"},
		{"lookalike", Package{ImportPath: Module + "-other", Imports: []string{m + "qemu"}}, ""},
		{"not ours", Package{ImportPath: "github.com/x/y", Imports: []string{"github.com/x/z"}}, ""},
	} {
		got := lines(Imports([]Package{c.p, {ImportPath: "fmt", Standard: true}}))
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: expected %q, got %q", c.name, c.want, got)
		}
	}
}

// TestRepositoryImports holds the direction for the code as it is.
func TestRepositoryImports(t *testing.T) {
	packages, err := List(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 100 { // the standard library alone has more
		t.Fatalf("expected all dependencies, got %d packages", len(packages))
	}
	for _, f := range Imports(packages) {
		t.Error(f)
	}
}

func TestUndocumented(t *testing.T) {
	src, err := Parse(tree(map[string]string{
		"a/a.go": `// Package a is documented.
package a
// T is too.
type T struct{}
func (*T) Method() {}
func (g generic[X]) Method() {}
type generic[X any] struct{}
func F() {}
func f() {}
const C = 1
// A group.
const ( D = 1; E = 2 )
var ( V = 1 // on the line
)
`,
		"b/b.go":      "package b\n",
		"c/main.go":   "// Command c is a main.\npackage main\nfunc Exported() {}\n",
		"a/a_test.go": "package a\nfunc TestX() {}\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := lines(src.Undocumented())
	want := "a/a.go:5: T.Method has no doc comment\na/a.go:8: F has no doc comment\na/a.go:10: C has no doc comment\nb: the package has no comment"
	if got != want {
		t.Errorf("expected\n%s\ngot\n%s", want, got)
	}
}

func TestMeasure(t *testing.T) {
	src, err := Parse(tree(map[string]string{
		"a.go": "// Package a.\npackage a\n\nimport \"fmt\"\n\nvar x, ErrX = 1, fmt.Errorf(\"x\")\n\nfunc init() { panic(1) }\n\nfunc long(err error) error {\n" +
			strings.Repeat("\tx++\n", 100) + "\treturn fmt.Errorf(\"a: %v\", err)\n}\n",
		"a_test.go": "package a\n// TO" + "DO later\nfunc FuzzX() {}\nfunc ExampleX() {}\n" + strings.Repeat("\n", 500),
	}))
	if err != nil {
		t.Fatal(err)
	}
	f, findings := src.Measure()
	want := Figures{FuncP90: 103, FuncMax: 103, FileP90: 112, FileMax: 112, Doc: 0, Packages: 100, Wrap: 0,
		Panics: 1, Inits: 1, Vars: 1, SourceLines: 112, TestLines: 504, Fuzz: 1, Examples: 1, Open: 1}
	if f != want {
		t.Errorf("expected %+v, got %+v", want, f)
	}
	for _, part := range []string{"function long of 103 lines", "a_test.go: file of 504 lines", "a.go:111: fmt.Errorf flattens"} {
		if !strings.Contains(lines(findings), part) {
			t.Errorf("expected %q, got\n%s", part, lines(findings))
		}
	}
	if !strings.Contains(f.Table(), "103/103") {
		t.Errorf("expected the figures, got\n%s", f.Table())
	}
}

func TestForbiddenWords(t *testing.T) {
	for text, want := range map[string]bool{
		"see /home" + "/jane/src/x":         true,
		"/root" + "/go/bin":                 true,
		"http://deb." + "debian.org/debian": true,
		"http://ftp.de." + "debian.org":     true,
		"proxy.golang" + ".org":             true,
		"https://www.debian.org/releases":   false,
		"/home directories, /root, ~/x":     false,
		"a mirror of docker.io":             false,
	} {
		if got := len(ForbiddenWords("x", []byte("one\n"+text+"\n"))) > 0; got != want {
			t.Errorf("%q: expected %v, got %v", text, want, got)
		}
	}
	if got := ForbiddenWords("x", []byte("a\nb /home"+"/jane/\n")); len(got) != 1 || got[0].Where != "x:2" {
		t.Errorf("expected x:2, got %v", got)
	}
}

func TestDeadLinks(t *testing.T) {
	files := tree(map[string]string{
		"README.md": "[ok](docs/a.md) [ok](docs/a.md#two-words) [ok](#top) [web](https://x.example/)\n" +
			"```\n[code](nowhere.md)\n```\n[dead](docs/b.md) [dead](docs/a.md#three) [out](../x.md) [dir](docs)\n# Top\n",
		"docs/a.md": "# A\n## Two Words\n[up](../README.md)\n",
	})
	got, err := DeadLinks(files, []string{"README.md", "docs/a.md", "other.txt"})
	want := "README.md:5: link docs/b.md: no such file\nREADME.md:5: link docs/a.md#three: no such heading\nREADME.md:5: link ../x.md: leads out of the repository"
	if err != nil || lines(got) != want {
		t.Errorf("expected\n%s\ngot\n%s, %v", want, lines(got), err)
	}
}
