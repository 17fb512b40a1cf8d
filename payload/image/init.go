package image

import (
	"bytes"
	"debug/elf"
	"fmt"
)

// checkInit makes sure that the kernel can start a program where there is
// nothing else: no interpreter, no libraries.
func checkInit(program []byte, arch string) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("%w: expected a static ELF program: %w", ErrInit, err)
	}
	want, ok := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	if !ok {
		return fmt.Errorf("%w: architecture %q: expected amd64 or arm64", ErrInit, arch)
	}
	if f.Class != elf.ELFCLASS64 || f.Machine != want {
		return fmt.Errorf("%w: expected a program for %s, got %v %v", ErrInit, arch, f.Class, f.Machine)
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return fmt.Errorf("%w: expected a program, got %v", ErrInit, f.Type)
	}
	loads := 0
	for _, p := range f.Progs {
		switch p.Type {
		case elf.PT_INTERP:
			return fmt.Errorf("%w: it is linked dynamically: build it with CGO_ENABLED=0", ErrInit)
		case elf.PT_LOAD:
			loads++
		}
	}
	if libs, err := f.ImportedLibraries(); err == nil && len(libs) > 0 {
		return fmt.Errorf("%w: it needs %s: build it with CGO_ENABLED=0", ErrInit, libs[0])
	}
	if loads == 0 {
		return fmt.Errorf("%w: it has nothing to load", ErrInit)
	}
	return nil
}
