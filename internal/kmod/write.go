package kmod

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// IndexFile is one of depmod's text indexes.
type IndexFile struct {
	Name string // for example "modules.dep"
	Data []byte
}

// IndexFiles returns the indexes that Open reads, for the modules in paths only
// and with their compression suffixes gone: it describes a directory into which
// those modules were put uncompressed, under PlainPath. modules.builtin is whole.
// Errors: ErrUnknown, also for a dependency outside paths.
func (x *Index) IndexFiles(paths []string) ([]IndexFile, error) {
	var dep, soft, aliases bytes.Buffer
	kept := make(map[string]bool)
	for _, p := range paths {
		m, err := x.at(p)
		if err != nil {
			return nil, err
		}
		kept[m.name] = true
	}
	sorted := slices.Clone(paths)
	slices.Sort(sorted)
	for _, p := range slices.Compact(sorted) {
		m, err := x.at(p)
		if err != nil {
			return nil, err
		}
		if err := x.writeDep(&dep, m, kept); err != nil {
			return nil, err
		}
		writeSoftdep(&soft, m)
	}
	for _, a := range x.aliases {
		if kept[a.module] {
			fmt.Fprintf(&aliases, "alias %s %s\n", a.pattern, a.module)
		}
	}
	return []IndexFile{
		{"modules.alias", aliases.Bytes()},
		{"modules.builtin", x.builtIn},
		{"modules.dep", dep.Bytes()},
		{"modules.softdep", soft.Bytes()},
	}, nil
}

// PlainPath returns where an uncompressed copy of a module belongs.
func PlainPath(file string) string {
	base, _ := trimSuffix(path.Base(file))
	return path.Join(path.Dir(file), base+".ko")
}

// at returns the module with a path, as Closure returns it.
func (x *Index) at(file string) (*module, error) {
	m, err := newModule(file)
	if err != nil {
		return nil, fmt.Errorf("kmod: %w", err)
	}
	if known := x.modules[m.name]; known != nil && known.path == file {
		return known, nil
	}
	return nil, fmt.Errorf("kmod: %s: %w", file, ErrUnknown)
}

// writeDep writes one line of modules.dep: all that m needs, directly or not,
// last to load first.
func (x *Index) writeDep(b *bytes.Buffer, m *module, kept map[string]bool) error {
	w := walk{index: x, seen: make(map[string]bool)}
	if err := w.visit(m.name, ""); err != nil {
		return fmt.Errorf("kmod: %w", err)
	}
	fmt.Fprintf(b, "%s:", PlainPath(m.path))
	slices.Reverse(w.paths)
	for _, p := range w.paths[1:] {
		dep, err := x.at(p)
		if err != nil {
			return err
		}
		if !kept[dep.name] {
			return fmt.Errorf("kmod: module %s: needs %s, which is left out: %w", m.name, dep.name, ErrUnknown)
		}
		fmt.Fprintf(b, " %s", PlainPath(p))
	}
	b.WriteByte('\n')
	return nil
}

func writeSoftdep(b *bytes.Buffer, m *module) {
	if len(m.pre)+len(m.post) == 0 {
		return
	}
	fmt.Fprintf(b, "softdep %s", m.name)
	if len(m.pre) > 0 {
		fmt.Fprintf(b, " pre: %s", strings.Join(m.pre, " "))
	}
	if len(m.post) > 0 {
		fmt.Fprintf(b, " post: %s", strings.Join(m.post, " "))
	}
	b.WriteByte('\n')
}
