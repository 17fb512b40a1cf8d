package flash

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// ApplyOptions are the caller's wishes for a write.
type ApplyOptions struct {
	// Progress hears of every piece. Nil means nobody.
	Progress func(Progress)
}

// blockTries is how often a piece is written before it counts as failed. The
// second try erases first.
const blockTries = 2

// Apply carries the plan out. b must be the backup of what the plan was made
// from. Each piece (one erase block, or Batch bytes) is read back; at the end
// the whole chip is, and every byte compared.
//
// Before anything is written the error wraps ErrPlan, ErrBackup, ErrChanged,
// ErrProtected or what reading the chip returned. Afterwards it is an
// *ApplyError, after an attempt to put the old contents back. A context that
// ends counts as a failure: it is looked at between pieces, and not while the
// old contents are put back.
//
// After a power cut, Apply with the same backup and image finishes what was
// begun; blocks that are complete are not written again, but for the piece
// before the cut, which may read right and not last.
func (p *Plan) Apply(ctx context.Context, c Chip, b *Backup, o ApplyOptions) error {
	if p == nil || p.made == nil {
		return fmt.Errorf("write: %w: it was not made by NewPlan", ErrPlan)
	}
	p = p.made
	if err := p.checkApply(c, b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	w := &writer{Plan: p, chip: c, progress: o.Progress}
	w.cut(batch(c))
	todo, err := w.survey(ctx)
	if err != nil {
		return fmt.Errorf("write %s: %w", p.Region.Name, err)
	}
	if err := w.write(ctx, todo); err != nil {
		return w.restore(todo, err)
	}
	return w.finish(todo)
}

// checkApply refuses what does not belong together.
func (p *Plan) checkApply(c Chip, b *Backup) error {
	switch {
	case c.Size() != p.ChipSize || c.EraseSize() != p.EraseSize:
		return fmt.Errorf("%w: made for a chip of %d bytes with blocks of %d, this one has %d with %d",
			ErrPlan, p.ChipSize, p.EraseSize, c.Size(), c.EraseSize())
	case b == nil || b.snap == nil:
		return fmt.Errorf("%w: none given", ErrBackup)
	case b.SHA256() != p.Before:
		return fmt.Errorf("%w: %s holds %s, the plan begins at %s", ErrBackup, b.path, b.SHA256(), p.Before)
	}
	return p.checkProtection(c)
}

// piece is a part of a step that is written and verified at once.
type piece struct {
	Range
	header bool
}

// writer carries out one plan once.
type writer struct {
	*Plan
	chip     Chip
	progress func(Progress)
	pieces   []piece
	now      []byte         // the chip as last read
	lost     map[Range]bool // pieces whose contents are not known: not in now
}

// cut divides the steps into pieces.
func (w *writer) cut(size int64) {
	w.lost = map[Range]bool{}
	for _, s := range w.Steps {
		for off := s.Offset; off < s.End(); off += size {
			w.pieces = append(w.pieces, piece{Range{off, min(size, s.End()-off)}, s.Header})
		}
	}
}

// survey reads the chip, refuses if it is not the plan's, before or in the
// middle of the write, and returns the pieces to write.
func (w *writer) survey(ctx context.Context) ([]piece, error) {
	var err error
	if w.now, err = readAll(ctx, w.chip, w.report("read", w.ChipSize)); err != nil {
		return nil, err
	}
	if changed := w.strays(); len(changed) > 0 {
		return nil, fmt.Errorf("%w: at %s, which this plan does not write", ErrChanged, joinRanges(changed))
	}
	first := slices.IndexFunc(w.pieces, func(x piece) bool { return !w.isNew(x.Range) })
	if first < 0 {
		return nil, nil // finished already
	}
	first = max(first-1, 0)
	var todo []piece
	for i, x := range w.pieces[first:] {
		if i == 0 || !w.isNew(x.Range) {
			todo = append(todo, x)
		}
	}
	return todo, nil
}

// strays lists what differs from the backup outside of the plan's steps.
func (w *writer) strays() []Range {
	expected := slices.Clone(w.old.data)
	for _, s := range w.Steps {
		copy(s.of(expected), s.of(w.now))
	}
	return differences(expected, w.now, w.EraseSize)
}

func (w *writer) isNew(r Range) bool { return !w.lost[r] && bytes.Equal(r.of(w.now), w.wanted(r)) }
func (w *writer) isOld(r Range) bool { return !w.lost[r] && bytes.Equal(r.of(w.now), r.of(w.old.data)) }
