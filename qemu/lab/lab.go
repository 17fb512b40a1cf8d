package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Lab keeps what it downloads and builds below Cache and tells Progress what
// it is doing. Several processes may share a cache.
type Lab struct {
	// Cache is the directory for downloads and built images. It is created
	// when missing and may be deleted at any time nobody uses it.
	Cache string

	// Progress receives one line, without newline, for each long step.
	// Nil means silence. Calls never overlap within one method call.
	Progress func(line string)

	// Strict refuses to build from other package versions than the locked
	// ones. Otherwise the lab warns through Progress and takes the
	// (signed) version that the mirror has.
	Strict bool
}

const lockPoll = 200 * time.Millisecond

func (l *Lab) say(format string, args ...any) {
	if l.Progress != nil {
		l.Progress(fmt.Sprintf(format, args...))
	}
}

// once returns the cache entry called key, which build fills when it does not
// exist. The entry appears under its name only when it is complete, and only
// one process builds it.
func (l *Lab) once(ctx context.Context, key string, build func(dir string) error) (string, error) {
	final := filepath.Join(l.Cache, strings.ReplaceAll(key, "/", "_"))
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	unlock, err := l.lock(ctx, final+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(final); err == nil {
		return final, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cache: %w", err)
	}
	tmp, err := os.MkdirTemp(l.Cache, ".new-")
	if err != nil {
		return "", fmt.Errorf("cache: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", fmt.Errorf("cache: %w", err)
	}
	if err := build(tmp); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, final); err != nil {
		return "", fmt.Errorf("cache: %w", err)
	}
	return final, nil
}

// lock takes an advisory lock that dies with the process.
func (l *Lab) lock(ctx context.Context, path string) (unlock func(), err error) {
	if l.Cache == "" {
		return nil, errors.New("cache: no directory given")
	}
	if err := os.MkdirAll(l.Cache, 0o755); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	for waiting := false; ; waiting = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("cache: flock(%s): %w", path, err)
		}
		if !waiting {
			l.say("waiting for another process to finish %s", filepath.Base(path))
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("cache: %s: %w", filepath.Base(path), ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}
