package shape

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// Figures are the measures of a tree's shape. Lines are of files without
// tests, unless the name says so.
type Figures struct {
	FuncP90, FuncMax int // lines of a function
	FileP90, FileMax int // lines of a file
	Doc, Packages    int // percent of exported names, and of packages, with a comment
	Wrap             int // percent of the fmt.Errorf calls with %w or %v that have %w
	Panics, Inits    int
	Vars             int // package variables, errors excepted
	SourceLines      int
	TestLines        int
	Fuzz, Examples   int
	Open             int // comments that promise later work
}

// Limits that make check fails on.
const (
	maxFunc = 100 // lines
	maxFile = 500 // lines
	minWrap = 95  // percent
)

// Measure counts, and names what is beyond a limit.
func (s *Source) Measure() (Figures, []Finding) {
	m := &measuring{Source: s}
	for _, f := range s.files {
		m.file(f)
	}
	m.FuncP90, m.FuncMax = p90(m.funcs), largest(m.funcs)
	m.FileP90, m.FileMax = p90(m.lengths), largest(m.lengths)
	m.Doc, m.Packages, m.Wrap = percent(m.documented, m.names), percent(m.packagesWithDoc(), len(m.dirs)), percent(m.wraps, m.wraps+m.flat)
	if m.Wrap < minWrap {
		m.findings = append(m.findings, m.flatAt...)
	}
	return m.Figures, m.findings
}

type measuring struct {
	*Source
	Figures
	findings, flatAt  []Finding
	funcs, lengths    []int
	names, documented int
	dirs              map[string]bool
	wraps, flat       int
}

func (m *measuring) file(f sourceFile) {
	lines := bytes.Count(f.text, []byte("\n"))
	m.length(f.name, "file", lines, maxFile)
	m.comments(f)
	if f.isTest() {
		m.TestLines += lines
		m.tests(f)
		return
	}
	m.SourceLines += lines
	m.lengths = append(m.lengths, lines)
	if m.dirs == nil {
		m.dirs = map[string]bool{}
	}
	m.dirs[f.dir()] = m.dirs[f.dir()] || f.ast.Doc != nil
	if f.ast.Name.Name != "main" {
		for _, d := range exported(f.ast) {
			m.names++
			if d.documented {
				m.documented++
			}
		}
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			m.function(d)
		case *ast.GenDecl:
			m.vars(d)
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			m.call(call)
		}
		return true
	})
}

func (m *measuring) length(where, what string, lines, limit int) {
	if lines > limit {
		m.findings = append(m.findings, found(where, "%s of %d lines, expected at most %d", what, lines, limit))
	}
}

func (m *measuring) function(d *ast.FuncDecl) {
	lines := m.fset.Position(d.End()).Line - m.fset.Position(d.Pos()).Line + 1
	m.funcs = append(m.funcs, lines)
	m.length(m.at(d), "function "+d.Name.Name, lines, maxFunc)
	if d.Recv == nil && d.Name.Name == "init" {
		m.Inits++
	}
}

// vars counts package variables. Those that hold an error are not state.
func (m *measuring) vars(d *ast.GenDecl) {
	if d.Tok != token.VAR {
		return
	}
	for _, spec := range d.Specs {
		for _, n := range spec.(*ast.ValueSpec).Names {
			if n.Name != "_" && !strings.HasPrefix(n.Name, "Err") && !strings.HasPrefix(n.Name, "err") {
				m.Vars++
			}
		}
	}
}

func (m *measuring) call(call *ast.CallExpr) {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		if f.Name == "panic" {
			m.Panics++
		}
	case *ast.SelectorExpr:
		pkg, ok := f.X.(*ast.Ident)
		if !ok || pkg.Name != "fmt" || f.Sel.Name != "Errorf" || len(call.Args) == 0 {
			return
		}
		format, ok := call.Args[0].(*ast.BasicLit)
		switch {
		case !ok:
		case strings.Contains(format.Value, "%w"):
			m.wraps++
		case strings.Contains(format.Value, "%v") && m.holdsError(call):
			m.flat++
			m.flatAt = append(m.flatAt, found(m.at(call), "fmt.Errorf flattens an error by %%v, expected %%w"))
		}
	}
}

// holdsError guesses by its name whether an argument is an error.
func (m *measuring) holdsError(call *ast.CallExpr) bool {
	return slices.ContainsFunc(call.Args[1:], func(arg ast.Expr) bool {
		id, ok := arg.(*ast.Ident)
		return ok && (id.Name == "err" || strings.HasSuffix(id.Name, "Err"))
	})
}

func (m *measuring) tests(f sourceFile) {
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		switch {
		case !ok || fn.Recv != nil:
		case strings.HasPrefix(fn.Name.Name, "Fuzz"):
			m.Fuzz++
		case strings.HasPrefix(fn.Name.Name, "Example"):
			m.Examples++
		}
	}
}

// promises matches the words that stand for work left undone.
var promises = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func (m *measuring) comments(f sourceFile) {
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			m.Open += len(promises.FindAllString(c.Text, -1))
		}
	}
}

func (m *measuring) packagesWithDoc() int {
	n := 0
	for _, ok := range m.dirs {
		if ok {
			n++
		}
	}
	return n
}

func percent(part, whole int) int {
	if whole == 0 {
		return 100
	}
	return 100 * part / whole
}

func p90(list []int) int {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[(len(list)*9-1)/10]
}

func largest(list []int) int {
	if len(list) == 0 {
		return 0
	}
	return slices.Max(list)
}

// Table shows the figures beside what they aim at.
func (f Figures) Table() string {
	ratio := 0.0
	if f.SourceLines > 0 {
		ratio = float64(f.TestLines) / float64(f.SourceLines)
	}
	var b strings.Builder
	for _, row := range [][3]string{
		{"measure", "aim", "now"},
		{"function lines, p90/max", "40/70", fmt.Sprintf("%d/%d", f.FuncP90, f.FuncMax)},
		{"file lines, p90/max", "330/500", fmt.Sprintf("%d/%d", f.FileP90, f.FileMax)},
		{"doc comments, names/packages", "100/100 %", fmt.Sprintf("%d/%d %%", f.Doc, f.Packages)},
		{"errors wrapped by %w", "95 %", fmt.Sprintf("%d %%", f.Wrap)},
		{"panic/init/package vars", "0/0/5", fmt.Sprintf("%d/%d/%d", f.Panics, f.Inits, f.Vars)},
		{"source and test lines", "", fmt.Sprintf("%d, %d", f.SourceLines, f.TestLines)},
		{"tests to source", "0.8-1.5", fmt.Sprintf("%.2f", ratio)},
		{"fuzz targets/examples", "5/1 a package", fmt.Sprintf("%d/%d", f.Fuzz, f.Examples)},
		{"promises in comments", "0", fmt.Sprint(f.Open)},
	} {
		fmt.Fprintf(&b, "  %-30s %-14s %s\n", row[0], row[1], row[2])
	}
	return b.String()
}
