package flash

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// Progress is a step of something long.
type Progress struct {
	What        string // "read", "write", "verify" or "restore"
	Done, Total int64  // bytes
}

// Snapshot is the contents of a whole chip, read twice with the same result.
// It comes from Read or OpenBackup.
type Snapshot struct {
	data []byte
	sum  string
}

// Read reads the chip twice. It returns an ErrUnstable if the two differ; then
// nothing that was read can be trusted. progress may be nil.
func Read(ctx context.Context, c Chip, progress func(Progress)) (*Snapshot, error) {
	if err := checkGeometry(c); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	report := func(before int64) func(int64) {
		return func(done int64) {
			if progress != nil {
				progress(Progress{"read", before + done, 2 * c.Size()})
			}
		}
	}
	first, err := readAll(ctx, c, report(0))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	second, err := readAll(ctx, c, report(c.Size()))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if at := firstDifference(first, second); at >= 0 {
		return nil, fmt.Errorf("read: %w: first at %#x: expected %#02x, got %#02x", ErrUnstable, at, first[at], second[at])
	}
	return newSnapshot(first), nil
}

func newSnapshot(data []byte) *Snapshot { return &Snapshot{data, hash(data)} }

// Size is the chip's size.
func (s *Snapshot) Size() int64 { return int64(len(s.data)) }

// SHA256 is the hash of the contents in hex.
func (s *Snapshot) SHA256() string { return s.sum }

// Contents returns a copy of the contents. As the image of a plan it is what
// restores the chip.
func (s *Snapshot) Contents() []byte { return slices.Clone(s.data) }

// Layout is ParseLayout of the contents.
func (s *Snapshot) Layout() (*Layout, error) { return ParseLayout(s.data) }

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
