package main

import (
	"cmp"
	"debug/elf"
	"fmt"
	"io"
	"slices"
	"strings"
)

// share is what one package takes of a program.
type share struct {
	name  string
	bytes int64
}

// bySymbol sums up what is loaded from an ELF program by Go package, largest
// first. What has no symbol counts for its section, the line tables for one.
func bySymbol(r io.ReaderAt) ([]share, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, err
	}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	sums := map[string]int64{}
	for _, s := range f.Sections {
		if inFile(s) {
			sums["("+s.Name+")"] += int64(s.Size)
		}
	}
	for _, s := range symbols {
		if int(s.Section) >= len(f.Sections) || !inFile(f.Sections[s.Section]) || elf.ST_TYPE(s.Info) > elf.STT_FUNC {
			continue
		}
		sums["("+f.Sections[s.Section].Name+")"] -= int64(s.Size)
		sums[packageOf(s.Name)] += int64(s.Size)
	}
	var out []share
	for name, n := range sums {
		if n > 0 {
			out = append(out, share{name, n})
		}
	}
	slices.SortFunc(out, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), strings.Compare(a.name, b.name))
	})
	return out, nil
}

// inFile reports whether a section is loaded and takes room in the file: what
// is all zero at the start does not.
func inFile(s *elf.Section) bool {
	return s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOBITS && s.Type != elf.SHT_NULL
}

// packageOf returns the import path in a symbol's name, or the name of a group
// of symbols that the linker makes.
func packageOf(symbol string) string {
	for prefix, name := range map[string]string{"type:": "(types)", "go:": "(linker)"} {
		if strings.HasPrefix(symbol, prefix) {
			return name
		}
	}
	symbol, _, _ = strings.Cut(symbol, "[") // type arguments hold other paths
	slash := strings.LastIndexByte(symbol, '/') + 1
	dot := strings.IndexByte(symbol[slash:], '.')
	if dot <= 0 {
		return "(other)"
	}
	return strings.ReplaceAll(symbol[:slash+dot], "%2e", ".")
}

// table lists the largest shares, and the others as one sum.
func table(shares []share) string {
	var b strings.Builder
	for i, s := range shares {
		if i == shown {
			fmt.Fprintf(&b, "  %9d  in %d more\n", sum(shares[i:]), len(shares)-i)
			break
		}
		fmt.Fprintf(&b, "  %9d  %s\n", s.bytes, s.name)
	}
	return b.String()
}

func sum(shares []share) int64 {
	var n int64
	for _, s := range shares {
		n += s.bytes
	}
	return n
}
