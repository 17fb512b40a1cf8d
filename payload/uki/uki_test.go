package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/payload/uki/ukitest"
)

const (
	release   = "6.1.0-50-amd64"
	osRelease = "ID=slipway\nPRETTY_NAME=\"slipway\"\n"
	cmdline   = "console=ttyS0 panic=30"
	realStub  = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
)

var built = time.Unix(1_700_000_000, 0)

func spec(stub []byte) Spec {
	return Spec{
		Stub: stub, Linux: ukitest.Kernel(release), Initrd: bytes.Repeat([]byte("initrd\n"), 1000),
		Cmdline: cmdline, OSRelease: osRelease, Built: built,
	}
}

func assemble(t testing.TB, s Spec) []byte {
	t.Helper()
	image, err := Assemble(s)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestAssemble checks layouts of headers, the real stub among them.
func TestAssemble(t *testing.T) {
	debian, err := os.ReadFile(realStub)
	if err != nil {
		t.Fatalf("install the Debian package systemd-boot-efi: %v", err)
	}
	for name, stub := range map[string][]byte{
		"systemd-stub":    debian,
		"room":            ukitest.Stub(ukitest.Layout{Spare: 8}),
		"no room":         ukitest.Stub(ukitest.Layout{}),
		"room with debug": ukitest.Stub(ukitest.Layout{Spare: 8, Debug: true}),
		"signed":          ukitest.Stub(ukitest.Layout{Spare: 8, Signed: true}),
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(stub)
			image := assemble(t, s)
			checkPE(t, image, stub)
			m, err := Parse(bytes.NewReader(image), int64(len(image)))
			if err != nil {
				t.Fatal(err)
			}
			if m.Cmdline != cmdline || m.Uname != release || m.OSRelease != osRelease || m.Machine != "amd64" || !m.Built.Equal(built) {
				t.Errorf("got %+v", m)
			}
			if m.SBAT == "" || strings.HasSuffix(m.SBAT, "\x00") {
				t.Errorf("the stub's .sbat: got %q", m.SBAT)
			}
			for what, x := range map[string]struct {
				got  io.Reader
				want []byte
			}{"kernel": {m.Linux, s.Linux}, "initrd": {m.Initrd, s.Initrd}} {
				if b, err := io.ReadAll(x.got); err != nil || !bytes.Equal(b, x.want) {
					t.Errorf("%s: got %d bytes, %v, want %d", what, len(b), err, len(x.want))
				}
			}
			if !bytes.Equal(image, assemble(t, s)) {
				t.Error("two images of one spec differ")
			}
		})
	}
}

// checkPE checks what loaders rely on, with debug/pe.
func checkPE(t *testing.T, image, stub []byte) {
	t.Helper()
	f, err := pe.NewFile(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	old, err := pe.NewFile(bytes.NewReader(stub))
	if err != nil {
		t.Fatal(err)
	}
	h := f.OptionalHeader.(*pe.OptionalHeader64)
	if f.NumberOfSymbols != 0 || f.PointerToSymbolTable != 0 || h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY].Size != 0 {
		t.Error("symbols or signatures are still there")
	}
	if want := checksumOf(image); h.CheckSum != want {
		t.Errorf("checksum: got %#x, want %#x", h.CheckSum, want)
	}
	tableEnd := binary.LittleEndian.Uint32(image[0x3c:]) + 24 + uint32(f.SizeOfOptionalHeader) + 40*uint32(len(f.Sections))
	if tableEnd > h.SizeOfHeaders || h.SizeOfHeaders > f.Sections[0].Offset {
		t.Errorf("section headers end at %#x, headers at %#x, the first section begins at %#x", tableEnd, h.SizeOfHeaders, f.Sections[0].Offset)
	}
	var names []string
	end, rawEnd := uint32(0), uint32(0)
	for i, s := range f.Sections {
		names = append(names, s.Name)
		if s.VirtualAddress < end || s.Offset < rawEnd {
			t.Errorf("section %s at %#x, in the file at %#x: expected it behind %#x and %#x", s.Name, s.VirtualAddress, s.Offset, end, rawEnd)
		}
		end, rawEnd = s.VirtualAddress+s.VirtualSize, s.Offset+s.Size
		if i < len(old.Sections) {
			got, _ := s.Data()
			if want, _ := old.Sections[i].Data(); !bytes.Equal(got, want) {
				t.Errorf("section %s changed", s.Name)
			}
			continue
		}
		if s.VirtualAddress%pageSize != 0 || s.Offset%h.FileAlignment != 0 || s.Size%h.FileAlignment != 0 {
			t.Errorf("section %s is not aligned: %+v", s.Name, s.SectionHeader)
		}
	}
	if h.SizeOfImage < end || h.SizeOfImage%h.SectionAlignment != 0 || int(rawEnd) != len(image) {
		t.Errorf("size of image %#x for sections up to %#x, %d bytes for sections up to %d", h.SizeOfImage, end, len(image), rawEnd)
	}
	want := []string{".osrel", ".cmdline", ".uname", ".initrd", ".linux"}
	if got := names[len(old.Sections):]; !slices.Equal(got, want) {
		t.Errorf("sections added: got %v, want %v", got, want)
	}
}

// checksumOf follows the text of the PE specification, not stub.go.
func checksumOf(image []byte) uint32 {
	b := slices.Clone(image)
	at := binary.LittleEndian.Uint32(b[0x3c:]) + 24 + 64
	copy(b[at:], make([]byte, 4))
	var sum uint64
	for i := 0; i < len(b); i += 2 {
		sum += uint64(binary.LittleEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint32(sum) + uint32(len(b))
}

func TestAssembleRefuses(t *testing.T) {
	good := ukitest.Stub(ukitest.Layout{Spare: 8})
	dirty := slices.Clone(good)
	dirty[0x148+40+3] = 1 // behind the only section header
	outside := slices.Clone(good)
	binary.LittleEndian.PutUint32(outside[0x148+20:], 1<<20)
	many := make([]string, maxSections-4)
	for i := range many {
		many[i] = ".x"
	}
	with := func(change func(*Spec)) Spec {
		s := spec(good)
		change(&s)
		return s
	}
	for _, tc := range []struct {
		name string
		spec Spec
		want error
	}{
		{"empty stub", spec(nil), ErrFormat},
		{"ELF stub", spec([]byte("\x7fELF" + strings.Repeat("\x00", 100))), ErrFormat},
		{"object file", spec(good[0x44:]), ErrFormat},
		{"cut off", spec(good[:0x200]), ErrFormat},
		{"section outside", spec(outside), ErrFormat},
		{"bytes behind headers", spec(dirty), ErrFormat},
		{"other subsystem", spec(ukitest.Stub(ukitest.Layout{Subsystem: pe.IMAGE_SUBSYSTEM_WINDOWS_CUI})), ErrFormat},
		{"stub for arm64", spec(ukitest.Stub(ukitest.Layout{Machine: pe.IMAGE_FILE_MACHINE_ARM64, Spare: 8})), ErrMachine},
		{"already a UKI", spec(assemble(t, spec(good))), ErrFormat},
		{"too many sections", spec(ukitest.Stub(ukitest.Layout{Sections: many, Spare: 8, FirstAddr: 0x4000})), ErrTooLarge},
		{"no room to grow", spec(ukitest.Stub(ukitest.Layout{FirstAddr: 0x200})), ErrTooLarge},
		{"no room, debug directory", spec(ukitest.Stub(ukitest.Layout{Debug: true})), ErrTooLarge},
		{"no kernel", with(func(s *Spec) { s.Linux = nil }), ErrFormat},
		{"kernel without EFI entry", with(func(s *Spec) { s.Linux[0] = 0 }), ErrFormat},
		{"long command line", with(func(s *Spec) { s.Cmdline = strings.Repeat("a", 2048) }), ErrCmdline},
		{"line break", with(func(s *Spec) { s.Cmdline = "a\nb" }), ErrCmdline},
		{"before 1970", with(func(s *Spec) { s.Built = time.Unix(-1, 0) }), ErrTooLarge},
	} {
		if _, err := Assemble(tc.spec); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
	s := with(func(s *Spec) {
		s.Cmdline, s.Initrd, s.OSRelease, s.Built = strings.Repeat("a", 2047), nil, "", time.Time{}
	})
	m, err := Parse(bytes.NewReader(assemble(t, s)), int64(len(assemble(t, s))))
	if err != nil || m.Initrd != nil || len(m.Cmdline) != 2047 || m.Built.Unix() != 0 {
		t.Errorf("least spec: got %+v, %v", m, err)
	}
}

func TestParseRefuses(t *testing.T) {
	image := assemble(t, spec(ukitest.Stub(ukitest.Layout{Spare: 8})))
	stub := ukitest.Stub(ukitest.Layout{})
	for name, tc := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":   {nil, ErrFormat},
		"text":      {bytes.Repeat([]byte("MZ"), 100), ErrFormat},
		"no kernel": {stub, ErrNotUKI},
		"cut off":   {image[:len(image)-100], ErrFormat},
	} {
		if _, err := Parse(bytes.NewReader(tc.in), int64(len(tc.in))); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestParseKernel(t *testing.T) {
	image := ukitest.Kernel(release)
	k, err := ParseKernel(bytes.NewReader(image))
	if err != nil || k.Release != release || !strings.HasPrefix(k.Version, release+" (") || !k.Bits64 || k.Cmdline != 2047 || k.InitSize != 1<<24 {
		t.Errorf("got %+v, %v", k, err)
	}
	for name, edit := range map[string]func([]byte) []byte{
		"nothing":      func(b []byte) []byte { return nil },
		"short":        func(b []byte) []byte { return b[:0x210] },
		"no flag":      func(b []byte) []byte { b[0x1fe] = 0; return b },
		"no magic":     func(b []byte) []byte { b[0x202] = 0; return b },
		"old protocol": func(b []byte) []byte { b[0x206], b[0x207] = 4, 2; return b },
		"no version":   func(b []byte) []byte { b[0x300] = 0; return b },
		"binary":       func(b []byte) []byte { b[0x301] = 7; return b },
		"path":         func(b []byte) []byte { b[0x301] = '/'; return b },
		"far version":  func(b []byte) []byte { b[0x20e], b[0x20f] = 0xff, 0xff; return b },
	} {
		if k, err := ParseKernel(bytes.NewReader(edit(slices.Clone(image)))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %+v, %v", name, k, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(assemble(f, spec(ukitest.Stub(ukitest.Layout{Spare: 8}))))
	f.Add(ukitest.Kernel(release))
	f.Add(ukitest.Stub(ukitest.Layout{Signed: true}))
	kernel := ukitest.Kernel(release)
	f.Fuzz(func(t *testing.T, in []byte) {
		if m, err := Parse(bytes.NewReader(in), int64(len(in))); err == nil {
			for _, s := range m.Sections {
				if s.Size > 0 && s.Offset+s.Size > int64(len(in)) {
					t.Errorf("section %+v lies outside %d bytes", s, len(in))
				}
			}
		}
		if image, err := Assemble(Spec{Stub: in, Linux: kernel}); err == nil {
			if _, err := Parse(bytes.NewReader(image), int64(len(image))); err != nil {
				t.Errorf("Parse of what Assemble made: %v", err)
			}
		}
		ParseKernel(bytes.NewReader(in))
	})
}

func Example() {
	image, err := Assemble(Spec{
		Stub:    ukitest.Stub(ukitest.Layout{Spare: 8}), // or linuxx64.efi.stub
		Linux:   ukitest.Kernel("6.1.0-50-amd64"),       // or /boot/vmlinuz-…
		Cmdline: "console=ttyS0",
	})
	if err != nil {
		panic(err)
	}
	m, err := Parse(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString(m.Uname + ": " + m.Cmdline + "\n")
	// Output: 6.1.0-50-amd64: console=ttyS0
}
