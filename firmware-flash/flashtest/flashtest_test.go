package flashtest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

// recorder is a test that may fail without failing this one.
type recorder struct {
	testing.TB
	failed bool
}

// errFatal ends a recorded test.
var errFatal = errors.New("fatal")

func (r *recorder) Helper()               {}
func (r *recorder) Failed() bool          { return r.failed }
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true; panic(errFatal) }

func validate(tb testing.TB, c flash.Chip) (failed bool) {
	r := &recorder{TB: tb}
	defer func() {
		failed = r.failed
		if p := recover(); p != nil && p != any(errFatal) {
			panic(p)
		}
	}()
	flashtest.ValidateChip(r, c)
	return r.failed
}

// broken is a chip with one method replaced.
type broken struct {
	*flashtest.NOR
	erase   func(off, n int64) error
	program func(p []byte, off int64) error
	read    func(p []byte, off int64) (int, error)
	protect func() ([]flash.Range, error)
}

func (b broken) Erase(off, n int64) error {
	if b.erase != nil {
		return b.erase(off, n)
	}
	return b.NOR.Erase(off, n)
}

func (b broken) ProgramAt(p []byte, off int64) error {
	if b.program != nil {
		return b.program(p, off)
	}
	return b.NOR.ProgramAt(p, off)
}

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if b.read != nil {
		return b.read(p, off)
	}
	return b.NOR.ReadAt(p, off)
}

func (b broken) Protected() ([]flash.Range, error) {
	if b.protect != nil {
		return b.protect()
	}
	return b.NOR.Protected()
}

// The validator finds what a chip must not do.
func TestValidatorFails(t *testing.T) {
	const size = 0x4000
	chip := func() *flashtest.NOR { return flashtest.NewNOR(make([]byte, size), 0) }
	if validate(t, chip()) {
		t.Fatal("a good chip does not pass")
	}
	for _, c := range []struct {
		name string
		chip func(*flashtest.NOR) flash.Chip
	}{
		{"erases nothing", func(n *flashtest.NOR) flash.Chip {
			return broken{NOR: n, erase: func(off, size int64) error { return flash.CheckErase(n, off, size) }}
		}},
		{"erases all", func(n *flashtest.NOR) flash.Chip {
			return broken{NOR: n, erase: func(off, size int64) error {
				return errors.Join(flash.CheckErase(n, off, size), n.Erase(0, n.Size()))
			}}
		}},
		{"programs a byte late", func(n *flashtest.NOR) flash.Chip {
			return broken{NOR: n, program: func(p []byte, off int64) error { return n.ProgramAt(p, off+1) }}
		}},
		{"programs the first page only", func(n *flashtest.NOR) flash.Chip {
			return broken{NOR: n, program: func(p []byte, off int64) error {
				return errors.Join(flash.CheckProgram(n, len(p), off), n.ProgramAt(p[:min(len(p), 256)], off))
			}}
		}},
		{"takes any range", func(n *flashtest.NOR) flash.Chip {
			return broken{NOR: n, erase: func(off, size int64) error {
				if flash.CheckErase(n, off, size) != nil {
					return nil
				}
				return n.Erase(off, size)
			}}
		}},
		{"reads beyond the end", func(n *flashtest.NOR) flash.Chip {
			return broken{NOR: n, read: func(p []byte, off int64) (int, error) {
				if _, err := n.ReadAt(p, off); err != nil && !errors.Is(err, io.EOF) {
					return 0, err
				}
				return len(p), nil
			}}
		}},
		{"protects what it has not", func(n *flashtest.NOR) flash.Chip {
			return broken{NOR: n, protect: func() ([]flash.Range, error) { return []flash.Range{{Offset: size, Size: 1}}, nil }}
		}},
		{"fails", func(n *flashtest.NOR) flash.Chip { n.FailAt = 3; return n }},
		{"a worn bit", func(n *flashtest.NOR) flash.Chip { n.StuckLow = map[int64]byte{9: 1}; return n }},
	} {
		if !validate(t, c.chip(chip())) {
			t.Errorf("%s: passes", c.name)
		}
	}
}

// What a cut leaves, by seed.
func TestCut(t *testing.T) {
	old := bytes.Repeat([]byte{0x0f}, 0x2000)
	for _, c := range []struct {
		seed uint64
		want func(first []byte) bool
	}{
		{flashtest.SeedNothing, func(p []byte) bool { return bytes.Equal(p, old[:0x1000]) }},
		{flashtest.SeedComplete, func(p []byte) bool { return bytes.Count(p, []byte{0xff}) == 0x1000 }},
		{2, func(p []byte) bool { n := bytes.Count(p, []byte{0xff}); return n > 0 && n < 0x1000 }},
	} {
		chip := flashtest.NewNOR(old, 0)
		chip.CutAt, chip.Seed = 1, c.seed
		if err := chip.Erase(0, 0x2000); !errors.Is(err, flashtest.ErrPowerCut) {
			t.Errorf("seed %d: expected %v, got %v", c.seed, flashtest.ErrPowerCut, err)
		}
		left := chip.Contents()
		if !c.want(left[:0x1000]) || !bytes.Equal(left[0x1000:], old[0x1000:]) {
			t.Errorf("seed %d: unexpected contents % x…", c.seed, left[:16])
		}
		if _, err := chip.ReadAt(make([]byte, 1), 0); !errors.Is(err, flashtest.ErrPowerCut) {
			t.Errorf("seed %d: reading without power: got %v", c.seed, err)
		}
		chip.PowerOn()
		if got := fmt.Sprint(chip.Marginal()); got != "[0x0-0xfff]" {
			t.Errorf("seed %d: marginal: got %s", c.seed, got)
		}
		if err := chip.Erase(0, 0x2000); err != nil || len(chip.Marginal()) > 0 {
			t.Errorf("seed %d: after power on: %v, marginal %v", c.seed, err, chip.Marginal())
		}
	}
}

func TestBootable(t *testing.T) {
	slot := flashtest.Region("A", 0x1000, 0x3000)
	rom := flashtest.ROM(0x4000, flashtest.Region("FMAP", 0, 0x1000), slot)
	if _, ok := flashtest.Bootable(rom, slot); ok {
		t.Error("an empty slot is bootable")
	}
	flashtest.PutSlot(rom, slot, 3, []byte("program"))
	if v, ok := flashtest.Bootable(rom, slot); !ok || v != 3 {
		t.Errorf("expected version 3, got %d, %v", v, ok)
	}
	for _, at := range []int64{0x1000, 0x1005, 0x1009, 0x2000} {
		bad := slices.Clone(rom)
		bad[at] ^= 0x40
		if _, ok := flashtest.Bootable(bad, slot); ok {
			t.Errorf("a slot with byte %#x changed is bootable", at)
		}
	}
}
