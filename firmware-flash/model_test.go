package flash_test

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

// The model chip: two slots, of which A is written, and state that the
// firmware keeps inside of A.
const modelSize = 0x20000

var (
	slotA  = flashtest.Region("RW_A", 0x8000, 0x8000)
	slotB  = flashtest.Region("RW_B", 0x10000, 0x8000)
	varsA  = flash.Region{Name: "VARS_A", Range: flash.Range{Offset: 0xf000, Size: 0x1000}, Preserve: true}
	headA  = flashtest.Region("HEAD_A", 0x8000, 0x1000)
	tailA  = flashtest.Region("TAIL_A", 0xe000, 0x800)
	edge   = flashtest.Region("EDGE", 0x18000, 0x1100)
	oddity = flashtest.Region("ODD", 0x19100, 0x1000)
	model  = []flash.Region{flashtest.Region("FMAP", 0x1000, 0x800), slotA, headA, tailA, varsA, slotB, edge, oddity}
)

// oldROM holds version 1 in A and B, newROM version 2 in A. Their bytes
// outside of A differ too: those must not come over.
func oldROM() []byte { return modelROM(1, 0xaa, program(1, 0x5800)) }
func newROM() []byte {
	// The first blocks only lose bits, one becomes blank, the rest is new.
	p := program(1, 0x4800)
	for i := range p[:0x1800] {
		p[i] &= 0x5f
	}
	copy(p[0x2000:], program(2, 0x2800))
	return modelROM(2, 0xbb, p)
}

func modelROM(version, rest byte, slot []byte) []byte {
	rom := flashtest.ROM(modelSize, model...)
	flashtest.PutSlot(rom, slotA, version, slot)
	flashtest.PutSlot(rom, slotB, version, program(7, 0x3000))
	for _, at := range []int64{0x100, varsA.Offset + 5, 0x19000, 0x1f000} {
		rom[at] = rest
	}
	flashtest.SetBoard(rom, "Emulation", "Model 1")
	return rom
}

func program(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 0))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.Uint32())
	}
	return out
}

// afterROM is what the chip holds after newROM's slot A came over.
func afterROM() []byte {
	out := oldROM()
	copy(out[slotA.Offset:varsA.Offset], newROM()[slotA.Offset:varsA.Offset])
	return out
}

// part returns a region's bytes.
func part(rom []byte, r flash.Region) []byte { return rom[r.Offset:r.End()] }

// rig is a chip with a backup of what was on it and a plan for slot A.
type rig struct {
	chip   *flashtest.NOR
	backup *flash.Backup
	plan   *flash.Plan
}

func newRig(tb testing.TB, o flash.PlanOptions) rig {
	tb.Helper()
	chip := flashtest.NewNOR(oldROM(), 0)
	backup := save(tb, chip)
	if o.Region == "" {
		o.Region = "RW_A"
	}
	plan, err := flash.NewPlan(chip, backup.Snapshot(), newROM(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return rig{chip, backup, plan}
}

// again is the same rig with a chip as it was in the beginning.
func (r rig) again() rig {
	r.chip = flashtest.NewNOR(oldROM(), 0)
	return r
}

func (r rig) apply(tb testing.TB) error {
	return r.plan.Apply(tb.Context(), r.chip, r.backup, flash.ApplyOptions{})
}

func save(tb testing.TB, c flash.Chip) *flash.Backup {
	tb.Helper()
	snap, err := flash.Read(tb.Context(), c, nil)
	if err != nil {
		tb.Fatal(err)
	}
	backup, err := snap.Save(filepath.Join(tb.TempDir(), "chip.bin"))
	if err != nil {
		tb.Fatal(err)
	}
	return backup
}

// same fails with the first byte that differs.
func same(tb testing.TB, what string, want, got []byte) {
	tb.Helper()
	if bytes.Equal(want, got) {
		return
	}
	if len(want) != len(got) {
		tb.Fatalf("%s: expected %d bytes, got %d", what, len(want), len(got))
	}
	for i := range want {
		if want[i] != got[i] {
			tb.Fatalf("%s: at %#x expected %#02x, got %#02x", what, i, want[i], got[i])
		}
	}
}
