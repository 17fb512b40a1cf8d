package kmod

import (
	"fmt"
	"slices"
)

// Closure returns the files of the named modules and of everything they need,
// in load order and without repeats, as paths for Read. Names that are built in
// add nothing. Soft dependencies come before ("pre") or after ("post") their
// module; one that cannot be inserted is no reason to stop. Errors: ErrUnknown,
// for one of the names or for something a module needs.
func (x *Index) Closure(names ...string) ([]string, error) {
	w := walk{index: x, soft: true, seen: make(map[string]bool)}
	for _, name := range names {
		if err := w.visit(canonical(name), ""); err != nil {
			return nil, fmt.Errorf("kmod: %w", err)
		}
	}
	return w.paths, nil
}

// walk collects paths depth first.
type walk struct {
	index *Index
	soft  bool // follow soft dependencies
	seen  map[string]bool
	paths []string
}

// visit adds what name needs, then name. Names on the way down count as seen,
// so that a circle of soft dependencies ends.
func (w *walk) visit(name, by string) error {
	m := w.index.modules[name]
	if m == nil {
		if w.index.builtin[name] {
			return nil
		}
		if by != "" {
			return fmt.Errorf("module %s: needs %s: %w", by, name, ErrUnknown)
		}
		return fmt.Errorf("module %s: %w", name, ErrUnknown)
	}
	if w.seen[name] {
		return nil
	}
	w.seen[name] = true
	if err := w.visitSoft(m.pre, name); err != nil {
		return err
	}
	for _, dep := range m.needs {
		if err := w.visit(dep, name); err != nil {
			return err
		}
	}
	w.paths = append(w.paths, m.path)
	return w.visitSoft(m.post, name)
}

func (w *walk) visitSoft(names []string, by string) error {
	if !w.soft {
		return nil
	}
	for _, soft := range names {
		for _, name := range w.index.resolve(soft) {
			if err := w.visit(name, by); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolve turns a name or an alias into module names, as modprobe does: a
// module's own name wins, and what does not exist is nothing.
func (x *Index) resolve(name string) []string {
	folded := canonical(name)
	if x.modules[folded] != nil {
		return []string{folded}
	}
	if x.builtin[folded] {
		return nil
	}
	return slices.DeleteFunc(x.Match(name), func(n string) bool { return x.modules[n] == nil })
}
