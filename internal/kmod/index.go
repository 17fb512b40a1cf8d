package kmod

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

const (
	maxIndexSize = 64 << 20 // bytes of one index file
	maxLine      = 1 << 20  // bytes of one line of it
	maxModules   = 100_000
	maxAliases   = 1_000_000
)

// Index knows the modules of one kernel. It does not change after Open or Scan
// and may be used by many goroutines.
type Index struct {
	fsys    fs.FS
	dir     string
	modules map[string]*module // by canonical name
	builtin map[string]bool    // by canonical name
	builtIn []byte             // modules.builtin as found
	aliases []alias
}

type module struct {
	name string // canonical
	path string // relative to the index's directory
	// needs lists canonical names in an order in which they can be loaded.
	needs     []string
	pre, post []string // soft dependencies: names or aliases, as written
}

type alias struct {
	pattern string // as written
	folded  string // canonical, what is matched
	prefix  string // of folded, without wildcards
	module  string // canonical
}

// Open reads the indexes below dir of fsys, for example
// "lib/modules/6.1.0-50-amd64". modules.dep must be there, the others may be
// missing. Errors: fs.ErrNotExist, ErrFormat, ErrTooLarge.
func Open(fsys fs.FS, dir string) (*Index, error) {
	x := newIndex(fsys, dir)
	for _, f := range []struct {
		name     string
		optional bool
		line     func(string) error
	}{
		{"modules.dep", false, x.addDep},
		{"modules.builtin", true, x.addBuiltin},
		{"modules.alias", true, x.addAlias},
		{"modules.softdep", true, x.addSoftdep},
	} {
		err := x.readLines(f.name, f.line)
		if f.optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("kmod: %w", err)
		}
	}
	return x, nil
}

func newIndex(fsys fs.FS, dir string) *Index {
	return &Index{fsys: fsys, dir: dir, modules: make(map[string]*module), builtin: make(map[string]bool)}
}

// readLines calls line for each line of an index that is no comment.
func (x *Index) readLines(name string, line func(string) error) error {
	file := path.Join(x.dir, name)
	f, err := x.fsys.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := readLimited(f, maxIndexSize)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if name == "modules.builtin" {
		x.builtIn = data
	}
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		text := strings.TrimSpace(s.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		if err := line(text); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s: %w: %w", file, ErrTooLarge, err)
	}
	return nil
}

// addDep takes "path: path path…". depmod lists what to load last first.
func (x *Index) addDep(line string) error {
	file, rest, ok := strings.Cut(line, ":")
	if !ok {
		return fmt.Errorf("%w: expected \"module: dependencies\", got %q", ErrFormat, line)
	}
	m, err := newModule(file)
	if err != nil {
		return err
	}
	deps := strings.Fields(rest)
	for i := len(deps) - 1; i >= 0; i-- {
		dep, err := newModule(deps[i])
		if err != nil {
			return err
		}
		m.needs = append(m.needs, dep.name)
	}
	return x.add(m)
}

func (x *Index) add(m *module) error {
	if len(x.modules) >= maxModules {
		return fmt.Errorf("%w: expected at most %d modules", ErrTooLarge, maxModules)
	}
	x.modules[m.name] = m
	return nil
}

func (x *Index) addBuiltin(line string) error {
	m, err := newModule(line)
	if err != nil {
		return err
	}
	if len(x.builtin) >= maxModules {
		return fmt.Errorf("%w: expected at most %d modules", ErrTooLarge, maxModules)
	}
	x.builtin[m.name] = true
	return nil
}

func (x *Index) addAlias(line string) error {
	f := strings.Fields(line)
	if len(f) > 3 && f[0] == "alias" {
		return nil // depmod writes a pattern with blanks in it like any other, and nothing can match it
	}
	if len(f) != 3 || f[0] != "alias" {
		return fmt.Errorf("%w: expected \"alias pattern module\", got %q", ErrFormat, line)
	}
	if len(x.aliases) >= maxAliases {
		return fmt.Errorf("%w: expected at most %d aliases", ErrTooLarge, maxAliases)
	}
	x.aliases = append(x.aliases, newAlias(f[1], f[2]))
	return nil
}

func newAlias(pattern, module string) alias {
	folded := canonicalPattern(pattern)
	return alias{pattern, folded, literalPrefix(folded), canonical(module)}
}

// addSoftdep takes "softdep module pre: name… post: name…".
func (x *Index) addSoftdep(line string) error {
	f := strings.Fields(line)
	if len(f) < 2 || f[0] != "softdep" {
		return fmt.Errorf("%w: expected \"softdep module …\", got %q", ErrFormat, line)
	}
	if m := x.modules[canonical(f[1])]; m != nil {
		m.addSoftdeps(f[2:])
	}
	return nil
}

// addSoftdeps takes the words of a softdep. Those before any "pre:" or "post:"
// mean nothing, to modprobe as well.
func (m *module) addSoftdeps(words []string) {
	var list *[]string
	for _, w := range words {
		switch {
		case w == "pre:":
			list = &m.pre
		case w == "post:":
			list = &m.post
		case list != nil:
			*list = append(*list, w)
		}
	}
}

// suffixes are the ways in which a module file's name can end.
var suffixes = [...]string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// newModule checks a path of an index and derives the module's name from it.
func newModule(file string) (*module, error) {
	if !fs.ValidPath(file) {
		return nil, fmt.Errorf("%w: path %q leaves the modules directory", ErrFormat, file)
	}
	if base, ok := trimSuffix(path.Base(file)); ok {
		return &module{name: canonical(base), path: file}, nil
	}
	return nil, fmt.Errorf("%w: path %q: expected a name ending in .ko, .ko.gz, .ko.xz or .ko.zst", ErrFormat, file)
}

// trimSuffix takes a module suffix off, if there is one behind a name.
func trimSuffix(name string) (string, bool) {
	for _, s := range suffixes {
		if base, ok := strings.CutSuffix(name, s); ok && base != "" {
			return base, true
		}
	}
	return name, false
}

// Match returns the names of the modules that claim a modalias, or any other
// alias, in the order of the index and without repeats. None is no error: most
// devices have no driver.
func (x *Index) Match(modalias string) []string {
	query := canonical(modalias)
	var names []string
	seen := make(map[string]bool)
	for _, a := range x.aliases {
		if strings.HasPrefix(query, a.prefix) && !seen[a.module] && glob(a.folded, query) {
			seen[a.module] = true
			names = append(names, a.module)
		}
	}
	return names
}

// Has reports whether name is a module of this index.
func (x *Index) Has(name string) bool { return x.modules[canonical(name)] != nil }

// BuiltIn reports whether name is built into the kernel.
func (x *Index) BuiltIn(name string) bool { return x.builtin[canonical(name)] }

// readLimited reads all of r, refusing more than limit bytes.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: expected at most %d bytes", ErrTooLarge, limit)
	}
	return data, nil
}
