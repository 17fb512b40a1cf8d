package kmod

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Scan builds an index of dir from the modules themselves. Of modules.* it reads
// only modules.builtin, which the kernel's build makes.
//
// Without names it reads every module. With names it finds all modules by their
// file names and reads just the named ones and what they need, which is far
// less work where modules are compressed; the rest are then known by name but
// have no aliases and no dependencies. If a soft dependency turns out to be an
// alias, every module is read after all. Names that do not exist are left for
// Closure to refuse. Errors: those of the file system, ErrFormat, ErrTooLarge.
func Scan(fsys fs.FS, dir string, names ...string) (*Index, error) {
	x := newIndex(fsys, dir)
	if err := x.readLines("modules.builtin", x.addBuiltin); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("kmod: %w", err)
	}
	if err := x.find(); err != nil {
		return nil, fmt.Errorf("kmod: %w", err)
	}
	s := scan{index: x, infos: make(map[string]Info)}
	if len(names) == 0 {
		names = x.Names()
	}
	if err := s.follow(names); err != nil {
		return nil, fmt.Errorf("kmod: %w", err)
	}
	if s.unresolved() {
		if err := s.follow(x.Names()); err != nil {
			return nil, fmt.Errorf("kmod: %w", err)
		}
	}
	s.fill()
	return x, nil
}

// find lists the module files. Of two with one name, one in updates/ wins, as
// depmod has it by default, else the first.
func (x *Index) find() error {
	return fs.WalkDir(x.fsys, x.dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !e.Type().IsRegular() {
			return nil
		}
		if _, ok := trimSuffix(e.Name()); !ok {
			return nil
		}
		m, err := newModule(strings.TrimPrefix(file, x.dir+"/"))
		if err != nil {
			return err
		}
		if old := x.modules[m.name]; old != nil && !strings.HasPrefix(m.path, "updates/") {
			return nil
		}
		return x.add(m)
	})
}

// Names lists all modules, built-in ones aside, in order.
func (x *Index) Names() []string {
	names := make([]string, 0, len(x.modules))
	for name := range x.modules {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// scan holds what was read so far.
type scan struct {
	index *Index
	mu    sync.Mutex
	infos map[string]Info // by canonical name
}

// follow reads the named modules, then what those need, until nothing is new.
func (s *scan) follow(names []string) error {
	for len(names) > 0 {
		var todo []string
		for _, name := range names {
			name = canonical(name)
			if _, done := s.infos[name]; !done && s.index.modules[name] != nil {
				s.infos[name] = Info{}
				todo = append(todo, name)
			}
		}
		if err := s.readAll(todo); err != nil {
			return err
		}
		names = names[:0:0]
		for _, name := range todo {
			names = append(names, s.infos[name].Depends...)
			names = append(names, s.infos[name].soft()...)
		}
	}
	return nil
}

// soft returns the names and aliases in a module's soft dependencies.
func (i Info) soft() []string {
	var m module
	m.addSoftdeps(i.Softdep)
	return append(m.pre, m.post...)
}

// readAll reads many modules at once, as many as there are processors.
func (s *scan) readAll(names []string) error {
	var wg sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	next := make(chan string)
	for i := range errs {
		wg.Go(func() {
			for name := range next {
				if err := s.read(name); err != nil {
					errs[i] = errors.Join(errs[i], err)
				}
			}
		})
	}
	for _, name := range names {
		next <- name
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

func (s *scan) read(name string) error {
	m := s.index.modules[name]
	info, err := s.index.modinfo(m.path)
	if err != nil {
		return fmt.Errorf("%s: %w", m.path, err)
	}
	s.mu.Lock()
	s.infos[name] = info
	s.mu.Unlock()
	return nil
}

// modinfo avoids reading an uncompressed module as a whole.
func (x *Index) modinfo(file string) (Info, error) {
	f, err := x.fsys.Open(path.Join(x.dir, file))
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	var head [len(elfMagic)]byte
	if r, ok := f.(io.ReaderAt); ok {
		if _, err := r.ReadAt(head[:], 0); err == nil && string(head[:]) == elfMagic {
			return Modinfo(r)
		}
	}
	image, err := inflate(f)
	if err != nil {
		return Info{}, err
	}
	return Modinfo(bytes.NewReader(image))
}

// unresolved reports whether a soft dependency is neither a module's name nor
// built in: then it may be an alias of a module not read yet.
func (s *scan) unresolved() bool {
	if len(s.infos) == len(s.index.modules) {
		return false
	}
	for _, info := range s.infos {
		for _, soft := range info.soft() {
			if !s.index.Has(soft) && !s.index.BuiltIn(soft) {
				return true
			}
		}
	}
	return false
}

// fill puts what was read into the index, in the order of names.
func (s *scan) fill() {
	for _, name := range s.index.Names() {
		info, ok := s.infos[name]
		if !ok {
			continue
		}
		m := s.index.modules[name]
		m.needs = info.Depends
		m.addSoftdeps(info.Softdep)
		for _, pattern := range info.Aliases {
			s.index.aliases = append(s.index.aliases, newAlias(pattern, name))
		}
	}
}
