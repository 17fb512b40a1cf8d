package flashtest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
)

// ValidateChip checks that a chip does what flash.Chip promises. It destroys
// what is in the chip's first two erase blocks.
func ValidateChip(tb testing.TB, c flash.Chip) {
	tb.Helper()
	v := validator{tb, c, c.EraseSize()}
	if c.Size() < 2*v.block || c.Size()%v.block != 0 {
		tb.Fatalf("size: expected at least two blocks of %d, got %d bytes", v.block, c.Size())
	}
	for _, check := range []struct {
		name string
		run  func()
	}{
		{"erase", v.erase},
		{"program", v.program},
		{"clear bits", v.clearBits},
		{"erase one block", v.eraseOne},
		{"refuse", v.refuse},
		{"end of chip", v.end},
		{"protection", v.protection},
	} {
		if check.run(); tb.Failed() {
			tb.Fatalf("chip: %s: not as promised", check.name)
		}
	}
}

type validator struct {
	testing.TB
	chip  flash.Chip
	block int64
}

func (v validator) must(what string, err error) {
	v.Helper()
	if err != nil {
		v.Fatalf("%s: %v", what, err)
	}
}

// expect compares the chip's contents.
func (v validator) expect(off int64, want []byte) {
	v.Helper()
	got := make([]byte, len(want))
	if n, err := v.chip.ReadAt(got, off); n != len(got) || err != nil && !errors.Is(err, io.EOF) {
		v.Fatalf("read %d bytes at %#x: got %d, %v", len(got), off, n, err)
	}
	for i := range want {
		if got[i] != want[i] {
			v.Errorf("at %#x: expected %#02x, got %#02x", off+int64(i), want[i], got[i])
			return
		}
	}
}

func (v validator) blank(n int64) []byte { return bytes.Repeat([]byte{0xff}, int(n)) }

func (v validator) erase() {
	v.must("erase two blocks", v.chip.Erase(0, 2*v.block))
	v.expect(0, v.blank(2*v.block))
	v.must("erase nothing", v.chip.Erase(0, 0))
}

// program writes across pages and a block's border, at odd places.
func (v validator) program() {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 1025)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	at := v.block - 513
	v.must("program", v.chip.ProgramAt(data, at))
	v.must("program nothing", v.chip.ProgramAt(nil, at))
	want := v.blank(2 * v.block)
	copy(want[at:], data)
	v.expect(0, want)
}

// clearBits programs a byte again without an erase.
func (v validator) clearBits() {
	v.must("program", v.chip.ProgramAt([]byte{0xf7, 0xff, 0x0f}, 3))
	v.must("program again", v.chip.ProgramAt([]byte{0x37, 0xfe, 0x0f}, 3))
	v.expect(2, []byte{0xff, 0x37, 0xfe, 0x0f, 0xff})
}

func (v validator) eraseOne() {
	second := make([]byte, v.block)
	if _, err := v.chip.ReadAt(second, v.block); err != nil && !errors.Is(err, io.EOF) {
		v.Fatalf("read: %v", err)
	}
	v.must("erase", v.chip.Erase(0, v.block))
	v.expect(0, v.blank(v.block))
	v.expect(v.block, second)
}

func (v validator) refuse() {
	size := v.chip.Size()
	for _, r := range []flash.Range{{Offset: -v.block, Size: v.block}, {Offset: 1, Size: v.block}, {Offset: 0, Size: v.block - 1},
		{Offset: size, Size: v.block}, {Offset: 0, Size: size + v.block}, {Offset: 0, Size: -v.block}} {
		if err := v.chip.Erase(r.Offset, r.Size); !errors.Is(err, flash.ErrGeometry) {
			v.Errorf("erase %#x bytes at %#x: expected %v, got %v", r.Size, r.Offset, flash.ErrGeometry, err)
		}
	}
	for _, off := range []int64{-1, size - 1, size, size + 1} {
		if err := v.chip.ProgramAt([]byte{0, 0}, off); !errors.Is(err, flash.ErrGeometry) {
			v.Errorf("program at %#x: expected %v, got %v", off, flash.ErrGeometry, err)
		}
	}
	v.expect(0, v.blank(v.block))
}

func (v validator) end() {
	p := make([]byte, 8)
	for _, c := range []struct {
		back int64
		n    int
	}{{3, 3}, {0, 0}} {
		n, err := v.chip.ReadAt(p, v.chip.Size()-c.back)
		if n != c.n || !errors.Is(err, io.EOF) {
			v.Errorf("read 8 bytes %d before the end: expected %d and %v, got %d and %v", c.back, c.n, io.EOF, n, err)
		}
	}
}

func (v validator) protection() {
	ranges, err := v.chip.Protected()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		v.Errorf("protected: %v", err)
	}
	for _, r := range ranges {
		if r.Offset < 0 || r.Size <= 0 || r.End() > v.chip.Size() {
			v.Errorf("protected: %s is not on the chip", r)
		}
	}
}
