package flash_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

func TestNOR(t *testing.T) { flashtest.ValidateChip(t, flashtest.NewNOR(oldROM(), 0)) }

// file writes contents to a new file.
func file(tb testing.TB, contents []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "chip.rom")
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestFile(t *testing.T) {
	path := file(t, oldROM())
	chip, err := flash.OpenFile(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	flashtest.ValidateChip(t, chip)
	if err := chip.Erase(0, chip.Size()); err != nil {
		t.Fatal(err)
	}
	// A file can do more than a chip: it must not.
	for _, p := range [][]byte{{0x0f}, {0xf0}} {
		if err := chip.ProgramAt(p, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := flash.OpenFile(path, 0); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("a second time: expected %v, got %v", unix.EWOULDBLOCK, err)
	}
	if err := chip.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if data[0] != 0 || data[1] != 0xff {
		t.Errorf("expected 00 ff, got % x", data[:2])
	}
}

func TestOpenFileRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		path  string
		erase int64
		want  error
	}{
		{"no file", filepath.Join(t.TempDir(), "none"), 0, os.ErrNotExist},
		{"empty", file(t, nil), 0, flash.ErrGeometry},
		{"directory", t.TempDir(), 0, unix.EISDIR},
		{"device", os.DevNull, 0, flash.ErrGeometry},
		{"not whole blocks", file(t, make([]byte, 5000)), 0, flash.ErrGeometry},
		{"tiny blocks", file(t, make([]byte, 4096)), 16, flash.ErrGeometry},
		{"huge blocks", file(t, make([]byte, 4096)), 8192, flash.ErrGeometry},
	} {
		if f, err := flash.OpenFile(c.path, c.erase); !errors.Is(err, c.want) {
			t.Errorf("%s: expected %v, got %v, %v", c.name, c.want, f, err)
		}
	}
}

// kernel is the MTD subsystem with a simulated chip behind it.
type kernel struct {
	*flashtest.NOR
	info    unix.MtdInfo
	locked  map[uint32]bool
	lockErr error
}

func newKernel(contents []byte) *kernel {
	return &kernel{
		NOR: flashtest.NewNOR(contents, 0),
		info: unix.MtdInfo{Type: unix.MTD_NORFLASH, Flags: unix.MTD_CAP_NORFLASH,
			Size: uint32(len(contents)), Erasesize: flash.DefaultEraseSize, Writesize: 1},
	}
}

func (k *kernel) WriteAt(p []byte, off int64) (int, error) { return len(p), k.NOR.ProgramAt(p, off) }
func (k *kernel) Sync() error                              { return nil }
func (k *kernel) Close() error                             { return nil }
func (k *kernel) Info() (unix.MtdInfo, error)              { return k.info, nil }
func (k *kernel) EraseBlocks(e unix.EraseInfo) error {
	return k.NOR.Erase(int64(e.Start), int64(e.Length))
}
func (k *kernel) IsLocked(e unix.EraseInfo) (bool, error) { return k.locked[e.Start], k.lockErr }

func TestMTD(t *testing.T) {
	chip, err := flash.NewMTD(newKernel(oldROM()))
	if err != nil {
		t.Fatal(err)
	}
	flashtest.ValidateChip(t, chip)
}

func TestMTDProtected(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*kernel)
		want   []flash.Range
		err    error
	}{
		{"nothing", func(*kernel) {}, nil, nil},
		{"blocks", func(k *kernel) { k.locked = map[uint32]bool{0: true, 0x1000: true, 0x8000: true} },
			[]flash.Range{{Offset: 0, Size: 0x2000}, {Offset: 0x8000, Size: 0x1000}}, nil},
		{"read-only", func(k *kernel) { k.info.Flags = 0 }, []flash.Range{{Offset: 0, Size: modelSize}}, nil},
		{"unknown", func(k *kernel) { k.lockErr = unix.EOPNOTSUPP }, nil, errors.ErrUnsupported},
		{"error", func(k *kernel) { k.lockErr = unix.EIO }, nil, unix.EIO},
	} {
		k := newKernel(oldROM())
		c.change(k)
		chip, err := flash.NewMTD(k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := chip.Protected()
		if !errors.Is(err, c.err) || len(got) != len(c.want) {
			t.Errorf("%s: expected %v, %v, got %v, %v", c.name, c.want, c.err, got, err)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: expected %v, got %v", c.name, c.want, got)
			}
		}
	}
}

func TestOpenMTDRefuses(t *testing.T) {
	nand := newKernel(oldROM())
	nand.info.Type = unix.MTD_NANDFLASH
	if _, err := flash.NewMTD(nand); !errors.Is(err, flash.ErrGeometry) {
		t.Errorf("NAND: expected %v, got %v", flash.ErrGeometry, err)
	}
	for _, c := range []struct {
		path string
		want error
	}{
		{filepath.Join(t.TempDir(), "none"), os.ErrNotExist},
		{file(t, oldROM()), unix.ENOTTY},
		{os.DevNull, unix.ENOTTY},
	} {
		if _, err := flash.OpenMTD(c.path); !errors.Is(err, c.want) {
			t.Errorf("%s: expected %v, got %v", c.path, c.want, err)
		}
	}
}
