package flash_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

// What a chip can do to a write, and what must come of it.
func TestFaults(t *testing.T) {
	whole := newRig(t, flash.PlanOptions{})
	n := operations(t, whole)
	for _, c := range []struct {
		name string
		set  func(c *flashtest.NOR, at int)
		want error // nil: the write succeeds
	}{
		{"one operation fails", func(c *flashtest.NOR, at int) { c.FailAt = at }, nil},
		{"a bit is not programmed", func(c *flashtest.NOR, at int) { c.WeakAt = at }, nil},
		{"a bit cannot be erased", func(c *flashtest.NOR, at int) {
			c.StuckLow = map[int64]byte{0xc123: 0xff} // erased for new bytes
		}, flash.ErrVerify},
		{"protected in silence", func(c *flashtest.NOR, at int) {
			c.WP, c.SilentWP = []flash.Range{{Offset: 0xb000, Size: 0x1000}}, true
		}, flash.ErrVerify},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			for at := 1; at <= n; at++ {
				r := whole.again()
				c.set(r.chip, at)
				err := r.apply(t)
				if !errors.Is(err, c.want) {
					t.Fatalf("operation %d: expected %v, got %v", at, c.want, err)
				}
				checkFault(t, err, r.chip)
			}
		})
	}
}

// checkFault holds the chip against what was said about it.
func checkFault(t *testing.T, err error, chip *flashtest.NOR) {
	t.Helper()
	var failed *flash.ApplyError
	switch {
	case err == nil:
		same(t, "after the write", afterROM(), chip.Contents())
	case !errors.As(err, &failed):
		t.Fatalf("expected an ApplyError, got %v", err)
	case failed.Restored:
		same(t, "restored", oldROM(), chip.Contents())
	default:
		left := chip.Contents()
		judge(t, left)
		for _, r := range failed.State.Old {
			same(t, "said to be old", oldROM()[r.Offset:r.End()], left[r.Offset:r.End()])
		}
		if failed.RestoreErr == nil {
			t.Errorf("not restored without a reason: %v", err)
		}
	}
}

func TestStuckBusy(t *testing.T) {
	whole := newRig(t, flash.PlanOptions{})
	n := operations(t, whole)
	for at := 1; at <= n; at++ {
		r := whole.again()
		r.chip.BusyAt, r.chip.Seed = at, 2
		err := r.apply(t)
		var failed *flash.ApplyError
		if !errors.Is(err, flash.ErrBusy) || !errors.As(err, &failed) {
			t.Fatalf("operation %d: expected an ApplyError of %v, got %v", at, flash.ErrBusy, err)
		}
		checkState(t, r.plan, failed.State, r.chip.Contents())
		r.chip.PowerOn()
		if err := r.apply(t); err != nil {
			t.Fatalf("operation %d: writing again: %v", at, err)
		}
		same(t, "after writing again", afterROM(), r.chip.Contents())
	}
}

// A block that can take neither the new nor the old contents: the others get
// the old ones back, and the error names it.
func TestWornBlock(t *testing.T) {
	r := newRig(t, flash.PlanOptions{})
	r.chip.StuckLow = map[int64]byte{0xd010: 0xff}
	err := r.apply(t)
	var failed *flash.ApplyError
	if !errors.As(err, &failed) || failed.Restored || !errors.Is(failed.RestoreErr, flash.ErrVerify) {
		t.Fatalf("expected a failed restore, got %v", err)
	}
	const state = "old 0x8000-0xcfff, 0xe000-0xefff; unknown 0xd000-0xdfff"
	if !strings.HasSuffix(err.Error(), "on the chip now: "+state) {
		t.Errorf("expected %q at the end, got %v", state, err)
	}
	left := r.chip.Contents()
	judge(t, left)
	want := oldROM()
	copy(want[0xd000:0xe000], left[0xd000:])
	same(t, "all other blocks", want, left)
}

// The chip also changes a byte elsewhere. Nothing outside is ever written, not
// even to repair it; the error says where.
func TestStrayWrite(t *testing.T) {
	r := newRig(t, flash.PlanOptions{})
	r.chip.StrayAt, r.chip.Stray = 9, slotB.Offset+0x2345
	err := r.apply(t)
	var failed *flash.ApplyError
	if !errors.Is(err, flash.ErrOutside) || !errors.As(err, &failed) {
		t.Fatalf("expected an ApplyError of %v, got %v", flash.ErrOutside, err)
	}
	if want := (flash.Range{Offset: slotB.Offset + 0x2000, Size: 0x1000}); len(failed.Outside) != 1 || failed.Outside[0] != want {
		t.Errorf("outside: expected %v, got %v", want, failed.Outside)
	}
	if len(failed.State.New) == 0 || len(failed.State.Old)+len(failed.State.Unknown) > 0 {
		t.Errorf("state: expected all new, got %s", failed.State)
	}
}

func TestCancelled(t *testing.T) {
	r := newRig(t, flash.PlanOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	seen := map[string]bool{}
	err := r.plan.Apply(ctx, r.chip, r.backup, flash.ApplyOptions{Progress: func(p flash.Progress) {
		if seen[p.What] = true; p.What == "write" && p.Done >= 0x3000 {
			cancel()
		}
	}})
	var failed *flash.ApplyError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) || !failed.Restored {
		t.Fatalf("expected to be cancelled and restored, got %v", err)
	}
	same(t, "restored", oldROM(), r.chip.Contents())
	for _, what := range []string{"read", "write", "restore", "verify"} {
		if !seen[what] {
			t.Errorf("no progress of %q", what)
		}
	}
}
