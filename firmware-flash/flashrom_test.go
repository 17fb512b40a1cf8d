package flash_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

// openDummy opens flashrom's own simulated chip on an image file.
func openDummy(t *testing.T, o flash.FlashromOptions, chip, image, extra string) *flash.Flashrom {
	t.Helper()
	o.Program = tool(t, "flashrom", "flashrom")
	o.Programmer = "dummy:emulate=" + chip + ",image=" + image + extra
	f, err := flash.OpenFlashrom(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestFlashrom(t *testing.T) {
	const size, sector = 128 << 10, 32 << 10
	image := file(t, make([]byte, size))
	chip := openDummy(t, flash.FlashromOptions{EraseSize: sector}, "M25P10.RES", image, "")
	if chip.Name() != "M25P10" {
		t.Errorf("expected M25P10, got %q", chip.Name())
	}
	flashtest.ValidateChip(t, chip)
	if ranges, err := chip.Protected(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("protection: expected %v, got %v, %v", errors.ErrUnsupported, ranges, err)
	}
}

// The same write through flashrom and on the simulated chip ends with the same
// bytes, on a chip of a usual size with vboot's two slots.
func TestFlashromIsIdentical(t *testing.T) {
	const size = 16 << 20
	a := flashtest.Region("RW_SECTION_A", 0x100000, 0x80000)
	b := flashtest.Region("RW_SECTION_B", 0x700000, 0x80000)
	rom := func(version byte, seed uint64) []byte {
		out := flashtest.ROM(size, flashtest.Region("FMAP", 0, 0x1000), a, b)
		flashtest.PutSlot(out, a, version, program(seed, 0x30000))
		flashtest.PutSlot(out, b, version, program(9, 0x30000))
		return out
	}
	old, image := rom(1, 1), rom(2, 2)
	copy(image[0x110000:0x118000], old[0x110000:]) // unchanged between changed blocks
	path := file(t, old)
	dummy := openDummy(t, flash.FlashromOptions{Batch: size}, "W25Q128FV", path, "")
	backup := save(t, dummy)
	o := flash.PlanOptions{Region: a.Name, Active: []string{b.Name}}

	copied := file(t, old)
	onDisk, err := flash.OpenFile(copied, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer onDisk.Close()

	simulated := flashtest.NewNOR(old, 0)
	for _, chip := range []flash.Chip{dummy, onDisk, simulated} {
		plan, err := flash.NewPlan(chip, backup.Snapshot(), image, o)
		if err != nil {
			t.Fatal(err)
		}
		if plan.Protection != flash.ProtectionNone || plan.Same == 0 {
			t.Errorf("expected no protection and blocks to skip, got\n%s", plan)
		}
		if err := plan.Apply(t.Context(), chip, backup, flash.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	want := append(append(old[:a.Offset:a.Offset], image[a.Offset:a.End()]...), old[a.End():]...)
	same(t, "simulated", want, simulated.Contents())
	for _, name := range []string{path, copied} {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, want, got)
	}
}

// flashrom lifts a protection in the status register by itself; the plan
// refuses before that.
func TestFlashromProtected(t *testing.T) {
	const size = 16 << 20
	slot := flashtest.Region("RW_SECTION_A", 0x100000, 0x10000)
	rom := flashtest.ROM(size, flashtest.Region("FMAP", 0, 0x1000), slot)
	image := append([]byte(nil), rom...)
	flashtest.PutSlot(image, slot, 1, program(1, 0x1000))
	path := file(t, rom)
	chip := openDummy(t, flash.FlashromOptions{Batch: size}, "W25Q128FV", path, ",spi_status=0x1c")
	snap, err := flash.Read(t.Context(), chip, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = flash.NewPlan(chip, snap, image, flash.PlanOptions{Region: slot.Name})
	if !errors.Is(err, flash.ErrProtected) {
		t.Errorf("expected %v, got %v", flash.ErrProtected, err)
	}
}

func TestOpenFlashromRefuses(t *testing.T) {
	program := tool(t, "flashrom", "flashrom")
	sleeper := filepath.Join(t.TempDir(), "flashrom")
	if err := os.WriteFile(sleeper, []byte("#!/bin/sh\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		o    flash.FlashromOptions
		want error
		text string
	}{
		{"no programmer", flash.FlashromOptions{Program: program}, flash.ErrTool, "no programmer"},
		{"unknown programmer", flash.FlashromOptions{Program: program, Programmer: "nope"}, flash.ErrTool, `Unknown programmer "nope"`},
		{"no chip", flash.FlashromOptions{Program: program, Programmer: "dummy"}, flash.ErrTool, "No EEPROM/flash device found"},
		{"unknown chip", flash.FlashromOptions{Program: program, Programmer: "dummy", Chip: "X1"}, flash.ErrTool, "Unknown chip 'X1'"},
		{"no program", flash.FlashromOptions{Program: "no-such-flashrom", Programmer: "dummy"}, flash.ErrTool, "install the package flashrom"},
		{"hangs", flash.FlashromOptions{Program: sleeper, Programmer: "dummy", Timeout: 50 * time.Millisecond}, flash.ErrBusy, "no end"},
		{"says nothing", flash.FlashromOptions{Program: "true", Programmer: "dummy"}, flash.ErrTool, "expected a name"},
	} {
		_, err := flash.OpenFlashrom(t.Context(), c.o)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: expected %v with %q, got %v", c.name, c.want, c.text, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := flash.OpenFlashrom(ctx, flash.FlashromOptions{Program: program, Programmer: "dummy"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: expected %v, got %v", context.Canceled, err)
	}
}

func TestParseProtection(t *testing.T) {
	const size = 0x1000000
	for _, c := range []struct {
		out  string
		want string
		err  error
	}{
		{"Protection range: start=0x00000000 length=0x00000000 (none)\n", "", nil},
		{"noise\nProtection range: start=0x00f00000 length=0x00100000 (upper 1/16)\nProtection mode: disabled\n", "0xf00000-0xffffff", nil},
		{"Protection range: start=0x00f00000 length=0x00100001\n", "", flash.ErrTool},
		{"Protection range: start=0x10000000000000000 length=0x1\n", "", flash.ErrTool},
		{"Protection range: start=0x7fffffffffffffff length=0x1\n", "", flash.ErrTool},
		{"WP: all fine\n", "", flash.ErrTool},
	} {
		got, err := flash.ParseProtection(c.out, size)
		text := ""
		for _, r := range got {
			text += r.String()
		}
		if text != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q: expected %q, %v, got %q, %v", c.out, c.want, c.err, text, err)
		}
	}
}

// flashrom's chip refuses, or ignores, an operation. Sectors of this one are
// 32 KiB.
func TestFlashromFaults(t *testing.T) {
	const size, sector = 128 << 10, 32 << 10
	slot := flashtest.Region("RW_SECTION_A", sector, 2*sector)
	old := flashtest.ROM(size, flashtest.Region("FMAP", 0, 0x1000), slot)
	flashtest.PutSlot(old, slot, 1, program(1, 0x6000))
	image := flashtest.ROM(size, flashtest.Region("FMAP", 0, 0x1000), slot)
	flashtest.PutSlot(image, slot, 2, program(2, 0x6000))
	for _, c := range []struct {
		name, extra string
		want        error
		restored    bool
		text        string
	}{
		{"erase refused", ",spi_blacklist=d8c7", flash.ErrTool, true, "the old contents are back"},
		{"program ignored", ",spi_ignorelist=02", flash.ErrVerify, false, "unknown 0x8000-0xffff"},
	} {
		path := file(t, old)
		chip := openDummy(t, flash.FlashromOptions{EraseSize: sector, Batch: size}, "M25P10.RES", path, c.extra)
		backup := save(t, chip)
		plan, err := flash.NewPlan(chip, backup.Snapshot(), image, flash.PlanOptions{Region: slot.Name})
		if err != nil {
			t.Fatal(err)
		}
		err = plan.Apply(t.Context(), chip, backup, flash.ApplyOptions{})
		var failed *flash.ApplyError
		if !errors.As(err, &failed) || !errors.Is(err, c.want) || failed.Restored != c.restored || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: expected %v with %q, got %v", c.name, c.want, c.text, err)
		}
		left, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.restored {
			same(t, c.name, old, left)
		}
		same(t, c.name+": before the slot", old[:slot.Offset], left[:slot.Offset])
		same(t, c.name+": behind the slot", old[slot.End():], left[slot.End():])
	}
}
