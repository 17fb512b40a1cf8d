package shape

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// Source is the parsed Go source of a tree.
type Source struct {
	fset  *token.FileSet
	files []sourceFile
}

type sourceFile struct {
	name string
	text []byte
	ast  *ast.File
}

func (f sourceFile) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

func (f sourceFile) dir() string { return path.Dir(f.name) }

// Parse reads all Go files of a tree except those in hidden directories, in
// testdata and in build.
func Parse(tree fs.FS) (*Source, error) {
	s := &Source{fset: token.NewFileSet()}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || name == "build"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.files = append(s.files, sourceFile{name, text, f})
		return nil
	})
	return s, err
}

// at returns file:line of a node.
func (s *Source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}
