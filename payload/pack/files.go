package pack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// readFile reads a file of limited size. what says in errors what it is for.
func readFile(what, path string, limit int64) ([]byte, error) {
	if path == "" {
		return nil, fmt.Errorf("%s: expected a file, got none", what)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	data, err := readLimited(f, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", what, path, err)
	}
	return data, nil
}

func readLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("expected at most %d bytes", limit)
	}
	return data, nil
}

// pending is a file that appears under its name only when it is whole.
type pending struct {
	f    *os.File
	name string
	done bool
}

func newPending(name string) (*pending, error) {
	if name == "" {
		return nil, errors.New("output: expected a file name, got none")
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return &pending{f: f, name: name}, nil
}

// copyTo reads all of the file from its beginning.
func (p *pending) copyTo(w io.Writer) (int64, error) {
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("output: %w", err)
	}
	n, err := io.Copy(w, p.f)
	if err != nil {
		return 0, fmt.Errorf("output: %w", err)
	}
	return n, nil
}

// commit flushes the file and gives it its name.
func (p *pending) commit() error {
	p.done = true
	err := errors.Join(p.f.Chmod(0o644), p.f.Sync())
	err = errors.Join(err, p.f.Close())
	if err == nil {
		err = os.Rename(p.f.Name(), p.name)
	}
	if err != nil {
		os.Remove(p.f.Name())
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// discard removes the file unless it was committed.
func (p *pending) discard() {
	if !p.done {
		p.f.Close()
		os.Remove(p.f.Name())
	}
}
