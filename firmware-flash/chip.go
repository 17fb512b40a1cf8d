package flash

import (
	"context"
	"fmt"
	"io"
)

// Ceilings and defaults.
const (
	// MaxChipSize is the largest chip (and image) that is worked on.
	MaxChipSize = 256 << 20
	// DefaultEraseSize is the sector of nearly every firmware chip.
	DefaultEraseSize = 4 << 10

	minEraseSize = 256
	readPiece    = 1 << 20 // a read is cancelled and reported between pieces
)

// Chip is a NOR flash chip: erasing sets a block to 0xff, programming clears
// bits. Sizes never change. A call ends before the next begins; none can be
// cancelled, because a chip must not be left alone in the middle of one.
//
// flashtest.ValidateChip checks an implementation.
type Chip interface {
	// ReadAt fails with io.EOF beyond the end of the chip.
	io.ReaderAt
	// Size is the number of bytes on the chip.
	Size() int64
	// EraseSize is the size of the blocks that can be erased by themselves.
	EraseSize() int64
	// Erase sets n bytes at off to 0xff; both are multiples of EraseSize.
	Erase(off, n int64) error
	// ProgramAt writes p, which must not set a bit that is clear on the chip.
	ProgramAt(p []byte, off int64) error
	// Protected lists what the chip refuses to erase and program. The error
	// is errors.ErrUnsupported if the chip cannot tell.
	Protected() ([]Range, error)
}

// Batcher is a Chip on which every call costs much, whatever its size. Plans
// are then carried out, verified and reported in pieces of up to Batch bytes
// instead of block by block.
type Batcher interface {
	Batch() int64
}

// Syncer is a Chip with a cache below it. Apply calls Sync before the header
// and at the end.
type Syncer interface {
	Sync() error
}

// CheckErase returns an ErrGeometry if c must not be asked for this. It is
// for those who write a Chip.
func CheckErase(c Chip, off, n int64) error {
	e := c.EraseSize()
	if off < 0 || n < 0 || off > c.Size() || n > c.Size()-off || off%e != 0 || n%e != 0 {
		return fmt.Errorf("erase: %w: expected whole blocks of %#x below %#x, got %#x bytes at %#x",
			ErrGeometry, e, c.Size(), n, off)
	}
	return nil
}

// CheckProgram is CheckErase for ProgramAt.
func CheckProgram(c Chip, n int, off int64) error {
	if off < 0 || off > c.Size() || int64(n) > c.Size()-off {
		return fmt.Errorf("program: %w: expected a range below %#x, got %#x bytes at %#x",
			ErrGeometry, c.Size(), n, off)
	}
	return nil
}

// checkGeometry refuses chips whose numbers make no sense.
func checkGeometry(c Chip) error {
	size, erase := c.Size(), c.EraseSize()
	switch {
	case size <= 0 || size > MaxChipSize:
		return fmt.Errorf("chip size: %w: expected 1 to %d bytes, got %d", ErrGeometry, MaxChipSize, size)
	case erase < minEraseSize || erase > size || size%erase != 0:
		return fmt.Errorf("erase size: %w: expected at least %d and a divisor of %#x, got %#x",
			ErrGeometry, minEraseSize, size, erase)
	}
	return nil
}

// batch returns the size of the pieces in which c is written.
func batch(c Chip) int64 {
	size := c.EraseSize()
	if b, ok := c.(Batcher); ok && b.Batch() > size {
		size = b.Batch() - b.Batch()%size
	}
	return size
}

func readFull(c Chip, p []byte, off int64) error {
	n, err := c.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %#x bytes at %#x: %w", len(p), off, err)
}

// readAll reads the whole chip.
func readAll(ctx context.Context, c Chip, report func(done int64)) ([]byte, error) {
	out := make([]byte, c.Size())
	piece := max(readPiece, batch(c))
	for off := int64(0); off < c.Size(); off += piece {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		if err := readFull(c, out[off:min(off+piece, c.Size())], off); err != nil {
			return nil, err
		}
		report(min(off+piece, c.Size()))
	}
	return out, nil
}
