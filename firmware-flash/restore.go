package flash

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// restore puts the old contents of all pieces back that may have been
// touched, and describes what came of it.
func (w *writer) restore(todo []piece, cause error) error {
	for r := range w.lost {
		if err := w.look(r); err != nil {
			return w.fail(cause, err) // it does not even answer
		}
	}
	back := w.backwards(todo)
	report := w.report("restore", total(back))
	var failed error
	var done int64
	for _, x := range back {
		if err := w.put(x, x.of(w.old.data)); err != nil {
			failed = errors.Join(failed, err)
			if w.look(x.Range) != nil {
				break
			}
		}
		done += x.Size
		report(done)
	}
	return w.fail(cause, errors.Join(failed, w.sync()))
}

// backwards lists what is to be restored: the body from its end, so that a cut
// leaves what a later Apply knows how to finish, and the header last.
func (w *writer) backwards(todo []piece) []piece {
	var body, last []piece
	for _, x := range todo {
		switch {
		case w.isOld(x.Range):
		case x.header:
			last = append(last, x)
		default:
			body = append(body, x)
		}
	}
	slices.Reverse(body)
	return append(body, last...)
}

// look reads a range again.
func (w *writer) look(r Range) error {
	w.lost[r] = true
	if err := readFull(w.chip, r.of(w.now), r.Offset); err != nil {
		return err
	}
	delete(w.lost, r)
	return nil
}

// fail looks at the chip a last time and describes it.
func (w *writer) fail(cause, restoreErr error) error {
	e := &ApplyError{Region: w.Region.Name, Err: cause, RestoreErr: restoreErr}
	if err := w.reread("verify"); err != nil {
		e.RestoreErr = errors.Join(e.RestoreErr, fmt.Errorf("reading the chip again: %w", err))
	} else if hash(w.now) == w.Before {
		e.Restored, e.RestoreErr = true, nil
		return e
	} else {
		e.Outside = w.strays()
	}
	e.State = w.state()
	return e
}

// state sorts the plan's blocks by what they hold, as far as that is known.
func (w *writer) state() State {
	var s State
	lost := func(block Range) bool {
		for r := range w.lost {
			if r.Contains(block) {
				return true
			}
		}
		return false
	}
	for off := w.span.Offset; off < w.span.End(); off += w.EraseSize {
		block := Range{off, w.EraseSize}
		have, old, want := block.of(w.now), block.of(w.old.data), w.wanted(block)
		switch {
		case bytes.Equal(old, want):
		case lost(block):
			s.Unknown = appendRange(s.Unknown, block)
		case bytes.Equal(have, old):
			s.Old = appendRange(s.Old, block)
		case bytes.Equal(have, want):
			s.New = appendRange(s.New, block)
		default:
			s.Unknown = appendRange(s.Unknown, block)
		}
	}
	return s
}
