package kmod

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"strings"
)

// maxModinfo is the largest .modinfo section. Drivers with thousands of aliases
// stay under 200 KiB.
const maxModinfo = 4 << 20

// Info is what a module says of itself.
type Info struct {
	Name     string   // canonical; empty for modules of kernels before 4.13
	License  string   // for example "GPL"
	Version  string   // usually empty
	Release  string   // kernel release it was built for, from vermagic
	Depends  []string // modules whose symbols it uses
	Aliases  []string
	Softdep  []string // words, see modprobe.d(5)
	Firmware []string // files it may ask for
}

// Modinfo reads the .modinfo section of a module's ELF image. Errors: ErrFormat,
// ErrTooLarge.
func Modinfo(image io.ReaderAt) (Info, error) {
	f, err := elf.NewFile(image)
	if err != nil {
		return Info{}, fmt.Errorf("kmod: %w: %w", ErrFormat, err)
	}
	s := f.Section(".modinfo")
	if s == nil || s.Flags&elf.SHF_COMPRESSED != 0 {
		return Info{}, fmt.Errorf("kmod: %w: expected a .modinfo section", ErrFormat)
	}
	if s.Size > maxModinfo {
		return Info{}, fmt.Errorf("kmod: .modinfo: %w: expected at most %d bytes, got %d", ErrTooLarge, maxModinfo, s.Size)
	}
	data, err := s.Data()
	if err != nil {
		return Info{}, fmt.Errorf("kmod: .modinfo: %w: %w", ErrFormat, err)
	}
	return parseModinfo(data), nil
}

// parseModinfo takes "key=value" strings, each ended by at least one NUL.
func parseModinfo(data []byte) Info {
	var m Info
	for _, field := range bytes.Split(data, []byte{0}) {
		key, value, _ := strings.Cut(string(field), "=")
		switch key {
		case "name":
			m.Name = canonical(value)
		case "license":
			m.License = value
		case "version":
			m.Version = value
		case "vermagic":
			m.Release, _, _ = strings.Cut(value, " ")
		case "depends":
			for _, d := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }) {
				m.Depends = append(m.Depends, canonical(d))
			}
		case "alias":
			// A blank would split the line of modules.alias in two.
			if value != "" && !strings.ContainsAny(value, " \t\n") {
				m.Aliases = append(m.Aliases, value)
			}
		case "softdep":
			m.Softdep = append(m.Softdep, strings.Fields(value)...)
		case "firmware":
			m.Firmware = append(m.Firmware, value)
		}
	}
	return m
}
