package flash

import (
	"context"
	"fmt"
)

// write writes the pieces in order.
func (w *writer) write(ctx context.Context, todo []piece) error {
	report := w.report("write", total(todo))
	var done int64
	for i, x := range todo {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped before %s: %w", x.Range, err)
		}
		if x.header && (i == 0 || !todo[i-1].header) {
			if err := w.sync(); err != nil {
				return err
			}
		}
		if err := w.put(x, w.wanted(x.Range)); err != nil {
			return err
		}
		done += x.Size
		report(done)
	}
	return w.sync()
}

// put writes one piece and reads it back, twice if need be.
func (w *writer) put(x piece, want []byte) error {
	// What is neither old nor complete may be half erased: bits that read
	// right and would not stay. Only an erase makes that good.
	erase := !w.isOld(x.Range)
	var err error
	for range blockTries {
		if err = w.attempt(x.Range, want, erase); err == nil {
			return nil
		}
		erase = true
	}
	return err
}

func (w *writer) attempt(r Range, want []byte, erase bool) error {
	have := r.of(w.now)
	erase = erase || !clearsOnly(have, want)
	w.lost[r] = true
	if erase {
		if err := w.chip.Erase(r.Offset, r.Size); err != nil {
			return fmt.Errorf("erase %s: %w", r, err)
		}
		fill(have, 0xff)
	}
	if skip, n := changedPart(have, want); n > 0 {
		if err := w.chip.ProgramAt(want[skip:skip+n], r.Offset+int64(skip)); err != nil {
			return fmt.Errorf("program %s: %w", r, err)
		}
	}
	if err := w.look(r); err != nil {
		return fmt.Errorf("verify %s: %w", r, err)
	}
	if at := firstDifference(want, have); at >= 0 {
		return fmt.Errorf("verify %s: %w: at %#x expected %#02x, got %#02x",
			r, ErrVerify, r.Offset+int64(at), want[at], have[at])
	}
	return nil
}

// changedPart returns where the bytes begin that differ, and how many there
// are up to the last one.
func changedPart(have, want []byte) (skip, n int) {
	skip = firstDifference(have, want)
	if skip < 0 {
		return 0, 0
	}
	end := len(have)
	for have[end-1] == want[end-1] {
		end--
	}
	return skip, end - skip
}

// sync writes through whatever lies between here and the chip.
func (w *writer) sync() error {
	if s, ok := w.chip.(Syncer); ok {
		if err := s.Sync(); err != nil {
			return fmt.Errorf("sync: %w", err)
		}
	}
	return nil
}

// finish compares every byte of the chip with what the plan promised.
func (w *writer) finish(todo []piece) error {
	if len(todo) > 0 { // else the survey has just read it
		if err := w.reread("verify"); err != nil {
			return w.fail(fmt.Errorf("verify: %w", err), nil)
		}
	}
	if outside := w.strays(); len(outside) > 0 {
		return w.fail(fmt.Errorf("verify: %w", ErrOutside), nil)
	}
	for _, x := range w.pieces {
		if !w.isNew(x.Range) {
			return w.restore(todo, fmt.Errorf("verify %s: %w: it was right when it was written", x.Range, ErrVerify))
		}
	}
	if sum := hash(w.now); sum != w.After {
		return w.fail(fmt.Errorf("verify: %w: expected %s, got %s", ErrVerify, w.After, sum), nil)
	}
	return nil
}

// reread reads the whole chip again, whatever became of the context.
func (w *writer) reread(what string) error {
	data, err := readAll(context.Background(), w.chip, w.report(what, w.ChipSize))
	if err != nil {
		return err
	}
	w.now = data
	clear(w.lost)
	return nil
}

func (w *writer) report(what string, total int64) func(int64) {
	return func(done int64) {
		if w.progress != nil {
			w.progress(Progress{what, done, total})
		}
	}
}

func total(pieces []piece) int64 {
	var n int64
	for _, x := range pieces {
		n += x.Size
	}
	return n
}
