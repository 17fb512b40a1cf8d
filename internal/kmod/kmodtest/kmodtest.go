// Package kmodtest makes kernel modules for tests: small ELF files that depmod
// and modinfo read like real ones. The kernel would not load them. Call
// [Module] for the bytes, [Tree] for a modules directory.
package kmodtest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
	"testing/fstest"
)

// Spec describes a module. The zero value is a module without a name.
type Spec struct {
	Path    string   // below the modules directory, ending in .ko
	License string   // "" means GPL
	Depends []string // modules whose symbols it uses; each exports "<name>_symbol"
	Aliases []string
	Softdep []string // values of softdep=
}

// Name returns the module's name as the kernel knows it.
func (s Spec) Name() string {
	base := s.Path[strings.LastIndexByte(s.Path, '/')+1:]
	base, _, _ = strings.Cut(base, ".")
	return strings.ReplaceAll(base, "-", "_")
}

func symbol(name string) string { return strings.ReplaceAll(name, "-", "_") + "_symbol" }

// modinfo returns the .modinfo section.
func (s Spec) modinfo(release string) []byte {
	license := s.License
	if license == "" {
		license = "GPL"
	}
	fields := []string{"license=" + license}
	for _, a := range s.Aliases {
		fields = append(fields, "alias="+a)
	}
	for _, d := range s.Softdep {
		fields = append(fields, "softdep="+d)
	}
	fields = append(fields, "depends="+strings.Join(s.Depends, ","), "name="+s.Name(),
		"vermagic="+release+" SMP mod_unload modversions ")
	return []byte(strings.Join(fields, "\x00") + "\x00")
}

// section is one section of the file being made.
type section struct {
	name       string
	kind       elf.SectionType
	data       []byte
	link, info uint32
	entry      uint64
}

// Module returns the module's ELF image, built for a kernel release.
func Module(s Spec, release string) []byte {
	var names, symbols bytes.Buffer
	names.WriteByte(0)
	binary.Write(&symbols, binary.LittleEndian, elf.Sym64{}) // a bytes.Buffer cannot fail, here and below
	for _, d := range s.Depends {
		sym := elf.Sym64{Name: uint32(names.Len()), Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_NOTYPE)}
		binary.Write(&symbols, binary.LittleEndian, sym)
		names.WriteString(symbol(d) + "\x00")
	}
	return file([]section{
		{},
		{name: ".modinfo", kind: elf.SHT_PROGBITS, data: s.modinfo(release)},
		{name: "__ksymtab_strings", kind: elf.SHT_PROGBITS, data: []byte(symbol(s.Name()) + "\x00")},
		{name: ".symtab", kind: elf.SHT_SYMTAB, data: symbols.Bytes(), link: 4, info: 1, entry: elf.Sym64Size},
		{name: ".strtab", kind: elf.SHT_STRTAB, data: names.Bytes()},
		{name: ".shstrtab", kind: elf.SHT_STRTAB},
	})
}

// file lays sections out behind an ELF header; the last holds their names.
func file(sections []section) []byte {
	const headerSize, tableEntry = 64, 64
	var table bytes.Buffer
	offsets := make([]uint32, len(sections))
	for i, s := range sections {
		offsets[i] = uint32(table.Len())
		table.WriteString(s.name + "\x00")
	}
	sections[len(sections)-1].data = table.Bytes()

	var body, headers bytes.Buffer
	for i, s := range sections {
		if pad := -body.Len() & 7; pad > 0 {
			body.Write(make([]byte, pad))
		}
		binary.Write(&headers, binary.LittleEndian, elf.Section64{
			Name: offsets[i], Type: uint32(s.kind), Off: uint64(headerSize + body.Len()), Size: uint64(len(s.data)),
			Link: s.link, Info: s.info, Addralign: 1, Entsize: s.entry,
		})
		body.Write(s.data)
	}
	body.Write(make([]byte, -body.Len()&7))

	h := elf.Header64{
		Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Shoff: uint64(headerSize + body.Len()), Ehsize: headerSize, Shentsize: tableEntry,
		Shnum: uint16(len(sections)), Shstrndx: uint16(len(sections) - 1),
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	var out bytes.Buffer
	binary.Write(&out, binary.LittleEndian, h)
	out.Write(body.Bytes())
	out.Write(headers.Bytes())
	return out.Bytes()
}

// Tree returns a file system with lib/modules/<release> as an unpacked kernel
// package has it: modules and modules.builtin, but none of depmod's indexes.
// builtin lists names without their ".ko".
func Tree(release string, builtin []string, modules ...Spec) fstest.MapFS {
	dir := "lib/modules/" + release + "/"
	var list strings.Builder
	for _, name := range builtin {
		fmt.Fprintf(&list, "kernel/%s.ko\n", name)
	}
	tree := fstest.MapFS{
		dir + "modules.builtin": {Data: []byte(list.String()), Mode: 0o644},
		dir + "modules.order":   {Mode: 0o644},
	}
	for _, m := range modules {
		tree[dir+m.Path] = &fstest.MapFile{Data: Module(m, release), Mode: 0o644}
	}
	return tree
}
