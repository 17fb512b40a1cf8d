package shape

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
)

// Undocumented returns the packages without a package comment and the exported
// names without a doc comment. A comment on a group of constants or variables
// is one for all of them. Tests are left out, and so are the names of mains,
// which nobody can import.
func (s *Source) Undocumented() []Finding {
	var out []Finding
	packages := map[string]bool{} // by directory: has a comment
	for _, f := range s.files {
		if f.isTest() {
			continue
		}
		packages[f.dir()] = packages[f.dir()] || f.ast.Doc != nil
		if f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range exported(f.ast) {
			if !d.documented {
				out = append(out, found(s.at(d.node), "%s has no doc comment", d.name))
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		if !packages[dir] {
			out = append(out, found(dir, "the package has no comment"))
		}
	}
	return out
}

// declared is one exported name of a file.
type declared struct {
	name       string
	node       ast.Node
	documented bool
}

func exported(f *ast.File) []declared {
	var out []declared
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if receiver, ok := receiverName(d); d.Name.IsExported() && ok {
				out = append(out, declared{receiver + d.Name.Name, d, d.Doc != nil})
			}
		case *ast.GenDecl:
			if d.Tok != token.IMPORT {
				out = append(out, exportedSpecs(d)...)
			}
		}
	}
	return out
}

// receiverName returns "Type." for a method of an exported type, "" for a
// function; ok is false for a method that cannot be named from outside.
func receiverName(d *ast.FuncDecl) (name string, ok bool) {
	if d.Recv == nil {
		return "", true
	}
	t := d.Recv.List[0].Type
	for {
		switch e := t.(type) {
		case *ast.StarExpr:
			t = e.X
		case *ast.IndexExpr:
			t = e.X
		case *ast.IndexListExpr:
			t = e.X
		case *ast.Ident:
			return e.Name + ".", e.IsExported()
		default:
			return "", false
		}
	}
}

func exportedSpecs(d *ast.GenDecl) []declared {
	var out []declared
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() {
				out = append(out, declared{spec.Name.Name, spec, d.Doc != nil || spec.Doc != nil})
			}
		case *ast.ValueSpec:
			for _, n := range spec.Names {
				if n.IsExported() {
					out = append(out, declared{n.Name, n, d.Doc != nil || spec.Doc != nil || spec.Comment != nil})
				}
			}
		}
	}
	return out
}
