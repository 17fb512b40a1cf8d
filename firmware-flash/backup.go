package flash

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sumSuffix is the name of the file beside a backup that "sha256sum -c" reads.
const sumSuffix = ".sha256"

// maxSumFile bounds that file: a hash and a file name.
const maxSumFile = 8 << 10

// Backup is a Snapshot that lies on disk, with its hash beside it. It comes
// from Snapshot.Save or OpenBackup; both have read the file and compared.
type Backup struct {
	path string
	snap *Snapshot
}

// Save writes the snapshot to path and its hash to path + ".sha256", down to
// the medium, reads it back and compares. Nothing is ever overwritten: the
// error is fs.ErrExist if one of the two files exists.
func (s *Snapshot) Save(path string) (*Backup, error) {
	line := fmt.Sprintf("%s  %s\n", s.sum, filepath.Base(path))
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("backup: %w: %s", fs.ErrExist, path)
	}
	if err := writeNew(path+sumSuffix, []byte(line)); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := writeNew(path, s.data); err != nil {
		os.Remove(path + sumSuffix)
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	b, err := OpenBackup(path)
	if err == nil && b.SHA256() != s.sum {
		err = fmt.Errorf("backup: %w: %s: expected %s, got %s", ErrBackup, path, s.sum, b.SHA256())
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// OpenBackup reads a backup and its hash file. The error is an ErrBackup if
// they do not belong together.
func OpenBackup(path string) (*Backup, error) {
	data, err := readLimited(path, MaxChipSize)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	line, err := readLimited(path+sumSuffix, maxSumFile)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	want, _, _ := strings.Cut(string(line), " ")
	if raw, err := hex.DecodeString(want); err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("backup: %w: %s: expected a SHA-256, got %.80q", ErrBackup, path+sumSuffix, want)
	}
	s := newSnapshot(data)
	if s.sum != want {
		return nil, fmt.Errorf("backup: %w: %s: expected %s, got %s", ErrBackup, path, want, s.sum)
	}
	return &Backup{path, s}, nil
}

// Path is where the backup lies.
func (b *Backup) Path() string { return b.path }

// SHA256 is the hash of the contents in hex.
func (b *Backup) SHA256() string { return b.snap.sum }

// Snapshot is what was saved.
func (b *Backup) Snapshot() *Snapshot { return b.snap }

// writeNew writes a file that must not exist, and removes it again if it
// cannot be completed.
func writeNew(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
