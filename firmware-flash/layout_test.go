package flash_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

func TestParseLayout(t *testing.T) {
	l, err := flash.ParseLayout(oldROM())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(l.Regions, model) || l.Size != modelSize || l.Board != "Emulation Model 1" {
		t.Errorf("expected %v, got %+v", model, l)
	}
}

// patch returns a ROM with bytes written over it.
func patch(rom []byte, at int64, p ...byte) []byte {
	rom = slices.Clone(rom)
	copy(rom[at:], p)
	return rom
}

func TestParseLayoutRefuses(t *testing.T) {
	const at = 0x1000 // of the model's FMAP
	good := oldROM()
	// A second map that says where it lies, and says something else.
	second := func(regions ...flash.Region) []byte {
		rom := slices.Clone(good)
		copy(rom[0x3000:], flashtest.FMAP(modelSize, regions...))
		return rom
	}
	descriptor := make([]byte, modelSize)
	copy(descriptor, good)
	binary.LittleEndian.PutUint32(descriptor[0x10:], 0x0ff0a55a)
	for _, c := range []struct {
		name string
		data []byte
		text string
	}{
		{"nothing", nil, "no flash map"},
		{"signature only", []byte("__FMAP__"), "header is cut off"},
		{"version", patch(good, at+8, 2), "version: expected 1, got 2"},
		{"another size", patch(good, at+18, 0, 0, 4), "made for 262144 bytes, got 131072"},
		{"no areas", patch(good, at+54, 0, 0), "areas: expected 1 to 512, got 0"},
		{"many areas", patch(good, at+54, 0xff, 0xff), "got 65535"},
		{"areas cut off", append(make([]byte, 0x200), flashtest.FMAP(0x200+56+41, model[0])[:56+41]...), "cut off"},
		{"area behind the end", patch(good, at+56+42+4, 0xff, 0xff, 0xff, 0xff), "RW_A ends at"},
		{"empty name", patch(good, at+56+42+8, 0), "name is empty"},
		{"name with a newline", patch(good, at+56+42+8, '\n'), "expected printable ASCII"},
		{"one name twice", patch(good, at+56+42+8, []byte("FMAP\x00")...), `a second one has the name "FMAP"`},
		{"two maps", second(flashtest.Region("FMAP", 0x3000, 0x1000)), "expected one, got 2 that differ"},
		{"too many maps", []byte(strings.Repeat("__FMAP__", 300)), "at most 256 places"},
		{"descriptor beyond the end", patch(descriptor, 0x14, 0, 0, 4, 0, 0, 0, 0, 0), "flash descriptor: region"},
		{"descriptor without table", patch(descriptor, 0x16, 0xff), "region table at 0xff0"},
	} {
		l, err := flash.ParseLayout(c.data)
		if !errors.Is(err, flash.ErrLayout) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: expected %q, got %v, %v", c.name, c.text, l, err)
		}
	}
}

// Copies, and what only looks like a map, do not confuse.
func TestParseLayoutStrays(t *testing.T) {
	for name, data := range map[string][]byte{
		"the signature in a program": patch(oldROM(), 0x9001, []byte("__FMAP__ is what we look for")...),
		"a copy":                     patch(oldROM(), 0x3000, flashtest.FMAP(modelSize, model...)...),
		"a map of another chip":      patch(oldROM(), 0x3000, flashtest.FMAP(modelSize*2, slotA)...),
		"a map that lies elsewhere":  patch(oldROM(), 0x3000, flashtest.FMAP(modelSize, slotA)...),
	} {
		if l, err := flash.ParseLayout(data); err != nil || !slices.Equal(l.Regions, model) {
			t.Errorf("%s: expected the model's regions, got %v, %v", name, l, err)
		}
	}
	// A map may come without an area for itself.
	rom := flashtest.ROM(modelSize)
	copy(rom[0x40:], flashtest.FMAP(modelSize, slotA, slotB))
	if l, err := flash.ParseLayout(rom); err != nil || len(l.Regions) != 2 {
		t.Errorf("expected two regions, got %v, %v", l, err)
	}
}

func TestFlashDescriptor(t *testing.T) {
	rom := oldROM()
	binary.LittleEndian.PutUint32(rom[0x10:], 0x0ff0a55a)
	binary.LittleEndian.PutUint32(rom[0x14:], 0x00040003)
	for i, reg := range []uint32{0x00000000, 0x001f0008, 0x00070001, 0x00007fff, 0x00007fff} {
		binary.LittleEndian.PutUint32(rom[0x40+4*i:], reg)
	}
	l, err := flash.ParseLayout(rom)
	if err != nil {
		t.Fatal(err)
	}
	want := []flash.Region{flashtest.Region("ifd:fd", 0, 0x1000), flashtest.Region("ifd:bios", 0x8000, 0x18000), flashtest.Region("ifd:me", 0x1000, 0x7000)}
	if got := l.Regions[len(model):]; !slices.Equal(got, want) {
		t.Errorf("expected %v, got %v", want, got)
	}
}

func TestBoard(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(rom []byte)
		want   string
	}{
		{"there", func([]byte) {}, "Emulation Model 1"},
		{"another chip size", func(rom []byte) { rom[modelSize-0x80-4] = 1 }, ""},
		{"beyond the start", func(rom []byte) { binary.LittleEndian.PutUint32(rom[modelSize-0x80-12:], 0xffffffff) }, ""},
		{"at the very end", func(rom []byte) { binary.LittleEndian.PutUint32(rom[modelSize-0x80-12:], 0) }, ""},
		{"no text", func(rom []byte) { copy(rom[modelSize-0xc0:], make([]byte, 0x30)) }, ""},
	} {
		rom := oldROM()
		c.change(rom)
		l, err := flash.ParseLayout(rom)
		if err != nil {
			t.Fatal(err)
		}
		if l.Board != c.want {
			t.Errorf("%s: expected %q, got %q", c.name, c.want, l.Board)
		}
	}
}

// tool fails the test if a program is missing.
func tool(tb testing.TB, name, pkg string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			tb.Fatalf("%s not found: install the package %s", name, pkg)
		}
	}
	return path
}

func run(tb testing.TB, program string, args ...string) string {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), program, args...).CombinedOutput()
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

const flashMap = `FLASH@0xff000000 0x100000 {
	FMAP@0x0 0x1000
	RW_NVRAM(PRESERVE)@0x1000 0x3000
	RW_SECTION_A@0x10000 0x40000 {
		VBLOCK_A@0x0 0x2000
		FW_MAIN_A(CBFS)@0x2000 0x3e000
	}
	RW_SECTION_B@0x50000 0x40000 {
		VBLOCK_B@0x0 0x2000
		FW_MAIN_B(CBFS)@0x2000 0x3e000
	}
	COREBOOT(CBFS)@0x90000 0x70000
}
`

// corebootROM makes a ROM with coreboot's own tools. files are added to
// FW_MAIN_A, in order, as name, contents.
func corebootROM(t *testing.T, files ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) string {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path(name)
	}
	cbfstool := tool(t, "cbfstool", "coreboot-utils")
	run(t, tool(t, "fmaptool", "coreboot-utils"), write("rom.fmd", flashMap), path("fmap"))
	run(t, cbfstool, path("rom"), "create", "-M", path("fmap"), "-r", "COREBOOT,FW_MAIN_A,FW_MAIN_B")
	for i := 0; i < len(files); i += 2 {
		run(t, cbfstool, path("rom"), "add", "-r", "FW_MAIN_A", "-t", "raw", "-n", files[i], "-f", write("file", files[i+1]))
	}
	rom, err := os.ReadFile(path("rom"))
	if err != nil {
		t.Fatal(err)
	}
	layout := run(t, cbfstool, path("rom"), "layout", "-w")
	l, err := flash.ParseLayout(rom)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range l.Regions {
		if want := fmt.Sprintf("size %d, offset %d)", r.Size, r.Offset); !strings.Contains(layout, "'"+r.Name+"'") || !strings.Contains(layout, want) {
			t.Errorf("%s: expected %q in cbfstool's layout\n%s", r.Name, want, layout)
		}
	}
	return rom
}

// A ROM of coreboot's tools: the map is read as they read it, and a file keeps
// its contents if the image has room for it in the same place.
func TestCorebootROM(t *testing.T) {
	serial := strings.Repeat("S/N 4711\n", 20)
	old := corebootROM(t, "first", "old", "serial", serial)
	image := corebootROM(t, "first", "new", "serial", strings.Repeat("\x00", len(serial)))
	moved := corebootROM(t, "serial", serial, "first", "new")

	chip := flashtest.NewNOR(old, 0)
	backup := save(t, chip)
	o := flash.PlanOptions{Region: "RW_SECTION_A", Header: "VBLOCK_A", Preserve: []string{"FW_MAIN_A/serial"}, Shared: true}
	if _, err := flash.NewPlan(chip, backup.Snapshot(), moved, o); !errors.Is(err, flash.ErrLayout) {
		t.Errorf("a file elsewhere: expected %v, got %v", flash.ErrLayout, err)
	}
	o.Shared = false
	if _, err := flash.NewPlan(chip, backup.Snapshot(), image, o); !errors.Is(err, flash.ErrShared) {
		t.Errorf("a file to keep beside one to change: expected %v, got %v", flash.ErrShared, err)
	}
	o.Shared = true
	plan, err := flash.NewPlan(chip, backup.Snapshot(), image, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), chip, backup, flash.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	same(t, "the file kept, the other new", corebootROM(t, "first", "new", "serial", serial), chip.Contents())
	l, err := backup.Snapshot().Layout()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := l.Region("RW_NVRAM"); err != nil || !r.Preserve {
		t.Errorf("RW_NVRAM: expected it to be preserved, got %+v, %v", r, err)
	}
}
