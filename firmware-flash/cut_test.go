package flash_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

// seeds are the ways in which a cut operation may have gone.
var seeds = []uint64{flashtest.SeedNothing, flashtest.SeedComplete, 2, 3, 4, 5}

// operations is how many a write without faults takes.
func operations(t *testing.T, r rig) int {
	t.Helper()
	r = r.again()
	if err := r.apply(t); err != nil {
		t.Fatal(err)
	}
	return r.chip.Ops()
}

// judge fails unless the firmware would boot: B is as it was, and A is whole,
// old or new, or not selected. It returns what A counts as.
func judge(t *testing.T, rom []byte) (version byte, ok bool) {
	t.Helper()
	old := oldROM()
	want := append(old[:slotA.Offset:slotA.Offset], old[varsA.Offset:]...)
	got := append(rom[:slotA.Offset:slotA.Offset], rom[varsA.Offset:]...)
	same(t, "outside of what is written", want, got)
	if v, ok := flashtest.Bootable(rom, slotB); !ok || v != 1 {
		t.Fatalf("slot B: expected version 1, got %d, %v", v, ok)
	}
	version, ok = flashtest.Bootable(rom, slotA)
	if !ok {
		return 0, false
	}
	end := varsA.Offset
	switch version {
	case 1:
		same(t, "slot A of version 1", oldROM()[slotA.Offset:end], rom[slotA.Offset:end])
	case 2:
		same(t, "slot A of version 2", afterROM()[slotA.Offset:end], rom[slotA.Offset:end])
	default:
		t.Fatalf("slot A: version %d was never written", version)
	}
	return version, true
}

// headerIsOld reports whether the header has not been begun.
func headerIsOld(rom []byte) bool {
	return bytes.Equal(part(rom, headA), part(oldROM(), headA))
}

// Power goes at every operation of a write, in six ways. Whatever is left
// boots, the header is the old one until the body is complete, the error says
// what is there, and writing again finishes.
func TestPowerCutAtEveryOperation(t *testing.T) {
	whole := newRig(t, flash.PlanOptions{})
	n := operations(t, whole)
	for _, seed := range seeds {
		for at := 1; at <= n; at++ {
			r := whole.again()
			r.chip.CutAt, r.chip.Seed = at, seed
			err := r.apply(t)
			var failed *flash.ApplyError
			if !errors.Is(err, flashtest.ErrPowerCut) || !errors.As(err, &failed) || failed.Restored {
				t.Fatalf("cut %d seed %d: expected an ApplyError of %v, got %v", at, seed, flashtest.ErrPowerCut, err)
			}
			left := r.chip.Contents()
			judge(t, left)
			if body := r.plan.Steps[:len(r.plan.Steps)-1]; !complete(left, body) && !headerIsOld(left) {
				t.Fatalf("cut %d seed %d: the header is written and the body is not", at, seed)
			}
			finished := complete(left, r.plan.Steps) // cut in the very last moment
			checkState(t, r.plan, failed.State, left)

			r.chip.PowerOn()
			if err := r.apply(t); err != nil {
				t.Fatalf("cut %d seed %d: writing again: %v", at, seed, err)
			}
			same(t, "after writing again", afterROM(), r.chip.Contents())
			if weak := r.chip.Marginal(); len(weak) > 0 && !finished {
				t.Fatalf("cut %d seed %d: %v was interrupted and not written again", at, seed, weak)
			}
		}
	}
	t.Logf("%d operations, %d ways", n, len(seeds))
}

// complete reports whether the steps are as planned.
func complete(rom []byte, steps []flash.Step) bool { return holds(rom, steps, afterROM()) }

func holds(rom []byte, steps []flash.Step, want []byte) bool {
	for _, s := range steps {
		if !bytes.Equal(rom[s.Offset:s.End()], want[s.Offset:s.End()]) {
			return false
		}
	}
	return true
}

// bitToSet finds a bit in a region that a write has to set, and no restore.
func bitToSet(r flash.Region) (at int64, bit byte) {
	old, want := oldROM(), afterROM()
	for at = r.Offset; want[at]&^old[at] == 0; {
		at++
	}
	return at, want[at] &^ old[at]
}

// checkState compares what an error says with what is on the chip. "Unknown"
// is a fair answer about a chip that could not be read again, but for one
// piece only.
func checkState(t *testing.T, p *flash.Plan, s flash.State, rom []byte) {
	t.Helper()
	for _, c := range []struct {
		what   string
		ranges []flash.Range
		want   []byte
	}{{"old", s.Old, oldROM()}, {"new", s.New, afterROM()}} {
		for _, r := range c.ranges {
			same(t, "said to be "+c.what, c.want[r.Offset:r.End()], rom[r.Offset:r.End()])
		}
	}
	var unknown, all int64
	for _, r := range s.Unknown {
		unknown += r.Size
	}
	for _, list := range [][]flash.Range{s.Old, s.New, s.Unknown} {
		for _, r := range list {
			all += r.Size
		}
	}
	var steps int64
	for _, s := range p.Steps {
		steps += s.Size
	}
	if unknown > p.EraseSize || all != steps {
		t.Fatalf("state: expected %d bytes, at most %d of them unknown, got %d and %d", steps, p.EraseSize, all, unknown)
	}
}

// Power goes twice: in the write, and anywhere in the second attempt.
func TestPowerCutAgainWhileFinishing(t *testing.T) {
	whole := newRig(t, flash.PlanOptions{})
	n := operations(t, whole)
	for first := 1; first <= n; first += 7 {
		for second := 1; ; second += 5 {
			r := whole.again()
			r.chip.CutAt, r.chip.Seed = first, uint64(2+first%3)
			if err := r.apply(t); !errors.Is(err, flashtest.ErrPowerCut) {
				t.Fatalf("cut %d: %v", first, err)
			}
			r.chip.PowerOn()
			r.chip.CutAt = r.chip.Ops() + second
			err := r.apply(t)
			judge(t, r.chip.Contents())
			if err == nil {
				break // the second attempt has fewer operations
			}
			r.chip.PowerOn()
			if err := r.apply(t); err != nil {
				t.Fatalf("cuts %d, %d: writing again: %v", first, second, err)
			}
			same(t, "after writing again", afterROM(), r.chip.Contents())
		}
	}
}

// A block fails late, and power goes at every operation of putting the old
// contents back: the old header returns when the old body has.
func TestPowerCutWhileRestoring(t *testing.T) {
	whole := newRig(t, flash.PlanOptions{})
	head, bit := bitToSet(headA)
	begun := operations(t, whole) - 2 // the header's erase and page
	for _, worn := range []map[int64]byte{{0xd010: 0xff}, {head: bit}} {
		for _, seed := range seeds[:3] {
			for at := 1; ; at++ {
				r := whole.again()
				r.chip.StuckLow = worn
				r.chip.CutAt, r.chip.Seed = at, seed
				err := r.apply(t)
				left := r.chip.Contents()
				judge(t, left)
				if !errors.Is(err, flashtest.ErrPowerCut) {
					if !errors.Is(err, flash.ErrVerify) {
						t.Fatalf("expected %v, got %v", flash.ErrVerify, err)
					}
					break
				}
				body := r.plan.Steps[:len(r.plan.Steps)-1]
				if worn[head] != 0 && at > begun && headerIsOld(left) && !holds(left, body, afterROM()) && !holds(left, body, oldROM()) {
					t.Fatalf("cut %d seed %d: the old header is back and the body is not", at, seed)
				}
				r.chip.PowerOn()
				r.chip.StuckLow = nil
				if err := r.apply(t); err != nil {
					t.Fatalf("cut %d: writing again: %v", at, err)
				}
				same(t, "after writing again", afterROM(), r.chip.Contents())
				if weak := r.chip.Marginal(); len(weak) > 0 && !complete(left, r.plan.Steps) {
					t.Fatalf("cut %d seed %d: %v was interrupted and not written again", at, seed, weak)
				}
			}
		}
	}
}

// The same with blocks that are written several at a time, as flashrom does.
func TestPowerCutInBatches(t *testing.T) {
	whole := newRig(t, flash.PlanOptions{})
	n := operations(t, whole)
	for at := 1; at <= n; at++ {
		chip := batched{flashtest.NewNOR(oldROM(), 0)}
		chip.CutAt, chip.Seed = at, uint64(at%5)
		err := whole.plan.Apply(t.Context(), chip, whole.backup, flash.ApplyOptions{})
		if !errors.Is(err, flashtest.ErrPowerCut) {
			t.Fatalf("cut %d: %v", at, err)
		}
		judge(t, chip.Contents())
		chip.PowerOn()
		if err := whole.plan.Apply(t.Context(), chip, whole.backup, flash.ApplyOptions{}); err != nil {
			t.Fatalf("cut %d: writing again: %v", at, err)
		}
		same(t, "after writing again", afterROM(), chip.Contents())
	}
}

// batched is a chip on which every call is expensive.
type batched struct{ *flashtest.NOR }

func (batched) Batch() int64 { return 0x3000 }
