package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// pulledName is a file by its name while it is written and in the end.
type pulledName struct{ staged, final string }

// destination is a directory and the files that are to be there.
type destination struct {
	dir   string
	names []pulledName
	force bool // overwrite them
}

// single reports whether the operator named a file, not a directory.
func (d destination) single() bool { return len(d.names) == 1 }

// free checks that the files may be written.
func (d destination) free() error {
	if info, err := os.Stat(d.dir); err == nil && !info.IsDir() {
		return hinted{fmt.Errorf("output: %s: expected a directory, or a file whose name ends in %s", d.dir, erofsSuffix), "name another place with --output"}
	}
	for _, n := range d.names {
		name := filepath.Join(d.dir, n.final)
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("output: %w", err)
		case info.IsDir():
			return fmt.Errorf("output: %s: expected a file, got a directory", name)
		case !d.force:
			return exists(name)
		}
	}
	return nil
}

func exists(name string) error {
	return hinted{fmt.Errorf("output: %s: %w", name, fs.ErrExist), "add --force to overwrite it, or name another place with --output"}
}

// staging holds files that appear under their names only when all of them are
// complete. It is a directory inside the one they go to.
type staging struct {
	destination
	temp      string
	made      bool // dir was not there before
	published bool
}

// newStaging makes the directory if the operator named one that is missing.
func newStaging(d destination) (*staging, error) {
	s := &staging{destination: d}
	if !d.single() {
		err := os.Mkdir(d.dir, 0o755)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("output: %w", err)
		}
		s.made = err == nil
	}
	var err error
	if s.temp, err = os.MkdirTemp(d.dir, ".slipway-pull-"); err != nil {
		s.discard()
		return nil, fmt.Errorf("output: %w", err)
	}
	return s, nil
}

func (s *staging) create(name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.temp, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return f, nil
}

// write writes a file as a whole.
func (s *staging) write(name string, r io.Reader) error {
	f, err := s.create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// publish gives the files their names, in the order of names: where the last
// one is, the others are whole. It returns their paths.
func (s *staging) publish() (files []string, err error) {
	last := filepath.Join(s.dir, s.names[len(s.names)-1].final)
	if s.force && !s.single() { // what it says of the others ends here
		if err := os.Remove(last); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("output: %w", err)
		}
	}
	for _, n := range s.names {
		final := filepath.Join(s.dir, n.final)
		if err := s.place(filepath.Join(s.temp, n.staged), final); err != nil {
			for _, done := range files {
				os.Remove(done)
			}
			return nil, err
		}
		files = append(files, final)
	}
	s.published = true
	return files, nil
}

// place moves a file to its name. A hard link is what cannot overwrite another
// file that came meanwhile; where there are none, a look has to do.
func (s *staging) place(staged, final string) error {
	if !s.force {
		err := os.Link(staged, final)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrExist):
			return exists(final)
		}
		if _, err := os.Lstat(final); err == nil {
			return exists(final)
		}
	}
	if err := os.Rename(staged, final); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// discard removes what publish left or never came to.
func (s *staging) discard() {
	if s.temp != "" {
		os.RemoveAll(s.temp)
	}
	if s.made && !s.published {
		os.Remove(s.dir)
	}
}
