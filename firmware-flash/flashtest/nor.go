// Package flashtest has a chip that misbehaves on demand, a validator for
// every implementation of flash.Chip, and builders of firmware images.
package flashtest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/slipway-boot/slipway/firmware-flash"
)

// ErrPowerCut is what a chip without power returns.
var ErrPowerCut = errors.New("power cut")

// DefaultPageSize is what a usual chip programs at once.
const DefaultPageSize = 256

// Seeds with a meaning of their own, see NOR.Seed.
const (
	SeedNothing  = 0 // a cut operation has had no effect
	SeedComplete = 1 // a cut operation has had its whole effect
)

// NOR is a simulated flash chip. Erasing sets a block to 0xff, programming
// only clears bits. Erasing one block and programming one page are the
// operations; they are counted from 1. The zero value of every field means
// that nothing of the kind happens.
type NOR struct {
	// PageSize is what one program operation writes. 0 means DefaultPageSize.
	PageSize int64
	// WP lists what is write protected. Operations there fail, or, with
	// SilentWP, do nothing and report success, as real chips do. Such a chip
	// does not tell what it protects.
	WP       []flash.Range
	SilentWP bool
	// CutAt is the operation in which power fails; Seed says how far it got:
	// SeedNothing, SeedComplete or any other number for some mess in between.
	// Everything fails until PowerOn.
	CutAt int
	Seed  uint64
	// BusyAt is the operation that does not end. Everything is flash.ErrBusy
	// from then on, until PowerOn.
	BusyAt int
	// FailAt is an operation that fails without any effect.
	FailAt int
	// WeakAt is a program operation that leaves a bit set and reports success.
	WeakAt int
	// StuckLow has, by offset, the bits that no erase sets any more.
	StuckLow map[int64]byte
	// NoiseEvery flips a bit in every so manyth call of ReadAt.
	NoiseEvery int
	// StrayAt is an operation that also clears a byte at Stray: a chip with
	// a bad address line.
	StrayAt int
	Stray   int64

	mu        sync.Mutex
	mem       []byte
	eraseSize int64
	ops       int
	reads     int
	dead      error
	marginal  map[int64]bool // by block number
}

// NewNOR returns a chip with these contents. eraseSize 0 means
// flash.DefaultEraseSize.
func NewNOR(contents []byte, eraseSize int64) *NOR {
	if eraseSize == 0 {
		eraseSize = flash.DefaultEraseSize
	}
	return &NOR{mem: slices.Clone(contents), eraseSize: eraseSize, marginal: map[int64]bool{}}
}

// Ops is the number of operations so far, the failed ones included.
func (c *NOR) Ops() int { return c.ops }

// Contents returns a copy of what is on the chip, power or not.
func (c *NOR) Contents() []byte { return slices.Clone(c.mem) }

// Marginal lists the blocks in which an operation did not end and that were
// not worked on since: they may read right today and wrong tomorrow.
func (c *NOR) Marginal() []flash.Range {
	var out []flash.Range
	for _, n := range slices.Sorted(maps.Keys(c.marginal)) {
		out = append(out, flash.Range{Offset: n * c.eraseSize, Size: c.eraseSize})
	}
	return out
}

// PowerOn ends a power cut or a stuck operation. The faults that count
// operations will not happen again.
func (c *NOR) PowerOn() {
	c.dead = nil
	c.CutAt, c.BusyAt, c.FailAt, c.WeakAt, c.StrayAt = 0, 0, 0, 0, 0
}

// Size is the length of the contents.
func (c *NOR) Size() int64 { return int64(len(c.mem)) }

// EraseSize is what NewNOR was told.
func (c *NOR) EraseSize() int64 { return c.eraseSize }

// ReadAt reads.
func (c *NOR) ReadAt(p []byte, off int64) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.dead != nil:
		return 0, c.dead
	case off < 0:
		return 0, fmt.Errorf("read at %#x: %w", off, flash.ErrGeometry)
	case off >= c.Size():
		return 0, io.EOF
	}
	n := copy(p, c.mem[off:])
	if c.reads++; c.NoiseEvery > 0 && c.reads%c.NoiseEvery == 0 && n > 0 {
		p[c.reads%n] ^= 0x10
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Erase erases, block by block.
func (c *NOR) Erase(off, n int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := flash.CheckErase(c, off, n); err != nil {
		return err
	}
	for end := off + n; off < end; off += c.eraseSize {
		block := flash.Range{Offset: off, Size: c.eraseSize}
		if err := c.operate(block, c.erased(block)); err != nil {
			return err
		}
	}
	return nil
}

// erased is what a block holds after an erase.
func (c *NOR) erased(r flash.Range) []byte {
	out := make([]byte, r.Size)
	for i := range out {
		out[i] = 0xff &^ c.StuckLow[r.Offset+int64(i)]
	}
	return out
}

// ProgramAt programs, page by page.
func (c *NOR) ProgramAt(p []byte, off int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := flash.CheckProgram(c, len(p), off); err != nil {
		return err
	}
	size := c.PageSize
	if size == 0 {
		size = DefaultPageSize
	}
	for len(p) > 0 {
		n := min(size-off%size, int64(len(p)))
		page := flash.Range{Offset: off, Size: n}
		if err := c.operate(page, c.programmed(page, p[:n])); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// programmed is what a page holds after programming p.
func (c *NOR) programmed(r flash.Range, p []byte) []byte {
	out := slices.Clone(c.mem[r.Offset:r.End()])
	for i := range out {
		out[i] &= p[i]
	}
	if c.ops+1 == c.WeakAt {
		for i, have := range c.mem[r.Offset:r.End()] {
			if bits := have &^ out[i]; bits != 0 {
				out[i] |= bits & -bits
				break
			}
		}
	}
	return out
}

// operate is one operation that should leave goal behind.
func (c *NOR) operate(r flash.Range, goal []byte) error {
	if c.dead != nil {
		return c.dead
	}
	if slices.ContainsFunc(c.WP, r.Overlaps) {
		if c.SilentWP {
			return nil
		}
		return fmt.Errorf("%w: %s", flash.ErrProtected, r)
	}
	c.ops++
	have := c.mem[r.Offset:r.End()]
	switch c.ops {
	case c.CutAt, c.BusyAt:
		c.dead = ErrPowerCut
		if c.ops == c.BusyAt {
			c.dead = flash.ErrBusy
		}
		c.partly(have, goal)
		c.marginal[r.Offset/c.eraseSize] = true
		return c.dead
	case c.FailAt:
		return errors.New("the chip reports an error")
	case c.StrayAt:
		c.mem[c.Stray] = 0
	}
	copy(have, goal)
	delete(c.marginal, r.Offset/c.eraseSize)
	return nil
}

// partly leaves what an operation leaves that did not end: a part is done, the
// byte at the border is somewhere between, and what an erase has not reached
// may already have been cleared, as chips do before they erase.
func (c *NOR) partly(have, goal []byte) {
	switch c.Seed {
	case SeedNothing:
		return
	case SeedComplete:
		copy(have, goal)
		return
	}
	random := rand.New(rand.NewPCG(c.Seed, uint64(c.ops)))
	n := random.IntN(len(have))
	erase := int64(len(have)) == c.eraseSize
	copy(have[:n], goal[:n])
	mask := byte(random.Uint32())
	have[n] = have[n]&goal[n] | (have[n]|goal[n])&mask
	if erase && random.IntN(2) == 0 {
		for i := range have[n:] {
			have[n+i] &= byte(random.Uint32())
		}
	}
}

// Protected lists WP.
func (c *NOR) Protected() ([]flash.Range, error) {
	if c.SilentWP {
		return nil, errors.ErrUnsupported
	}
	return slices.Clone(c.WP), nil
}
