package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Offsets from the PE signature; those above fileHeaderEnd lie in the optional
// header of a PE32+ file.
const (
	offNumberOfSections  = 4 + 2
	offTimeDateStamp     = 4 + 4
	offSymbolTable       = 4 + 8 // pointer and count
	offOptionalSize      = 4 + 16
	fileHeaderEnd        = 4 + 20
	offSizeOfCode        = fileHeaderEnd + 4
	offSizeOfInitialized = fileHeaderEnd + 8
	offSizeOfImage       = fileHeaderEnd + 56
	offSizeOfHeaders     = fileHeaderEnd + 60
	offCheckSum          = fileHeaderEnd + 64
	offDirectories       = fileHeaderEnd + 112

	offNewHeader     = 0x3c // in the DOS header: where the PE signature is
	sectionHeaderLen = 40
	directoryLen     = 8
)

type section struct {
	name  string
	data  []byte
	flags uint32
}

// stub is a PE file that sections can be added to.
type stub struct {
	data   []byte // without symbols and signatures: ends with the last section
	file   *pe.File
	header *pe.OptionalHeader64
	sig    int // offset of the PE signature
	table  int // offset of the section headers
}

func readStub(data []byte) (*stub, error) {
	f, err := openPE(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || h.Subsystem != pe.IMAGE_SUBSYSTEM_EFI_APPLICATION {
		return nil, fmt.Errorf("%w: expected a 64-bit EFI application", ErrFormat)
	}
	s := &stub{data: data, file: f, header: h, sig: int(binary.LittleEndian.Uint32(data[offNewHeader:]))}
	s.table = s.sig + fileHeaderEnd + int(f.SizeOfOptionalHeader)
	return s, s.check()
}

// openPE refuses the object files that debug/pe would read as well.
func openPE(r io.ReaderAt) (*pe.File, error) {
	var dos [2]byte
	if _, err := r.ReadAt(dos[:], 0); err != nil || string(dos[:]) != "MZ" {
		return nil, fmt.Errorf("%w: expected a PE program, found no MZ", ErrFormat)
	}
	f, err := pe.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("%w: expected a PE program: %w", ErrFormat, err)
	}
	return f, nil
}

// check makes sure of everything that with relies on.
func (s *stub) check() error {
	a, fa := s.header.SectionAlignment, s.header.FileAlignment
	if a == 0 || fa == 0 || a&(a-1) != 0 || fa&(fa-1) != 0 || fa > a || a > 1<<20 {
		return fmt.Errorf("%w: section alignment %d, file alignment %d", ErrFormat, a, fa)
	}
	if s.header.NumberOfRvaAndSizes > 16 || s.table < s.sig+offDirectories+directoryLen*int(s.header.NumberOfRvaAndSizes) {
		return fmt.Errorf("%w: the optional header is too short for its data directories", ErrFormat)
	}
	end, size := int64(s.tableEnd()), int64(len(s.data))
	if end > int64(s.header.SizeOfHeaders) || int64(s.header.SizeOfHeaders) > size {
		return fmt.Errorf("%w: the section headers end at %d, behind all headers at %d", ErrFormat, end, s.header.SizeOfHeaders)
	}
	last := int64(s.header.SizeOfHeaders)
	for _, x := range s.file.Sections {
		if reserved(x.Name) {
			return fmt.Errorf("%w: it has a section %s already: expected a bare stub", ErrFormat, x.Name)
		}
		if x.Size == 0 {
			continue
		}
		if int64(x.Offset) < int64(s.header.SizeOfHeaders) || int64(x.Offset)+int64(x.Size) > size {
			return fmt.Errorf("%w: section %s lies outside the file", ErrFormat, x.Name)
		}
		last = max(last, int64(x.Offset)+int64(x.Size))
	}
	s.data = s.data[:last]
	return nil
}

func (s *stub) tableEnd() int { return s.table + sectionHeaderLen*len(s.file.Sections) }

// with returns the stub with sections added.
func (s *stub) with(sections []section, stamp uint32) ([]byte, error) {
	total := len(s.file.Sections) + len(sections)
	if total > maxSections {
		return nil, fmt.Errorf("%w: expected at most %d sections, got %d", ErrTooLarge, maxSections, total)
	}
	b, err := s.room(total)
	if err != nil {
		return nil, err
	}
	for i, x := range sections {
		if err := b.add(x, s.tableEnd()+sectionHeaderLen*i); err != nil {
			return nil, fmt.Errorf("section %s: %w", x.name, err)
		}
	}
	le, h := binary.LittleEndian, b.image[s.sig:]
	le.PutUint16(h[offNumberOfSections:], uint16(total))
	le.PutUint32(h[offTimeDateStamp:], stamp)
	le.PutUint64(h[offSymbolTable:], 0)
	le.PutUint32(h[offSizeOfCode:], s.header.SizeOfCode+b.code)
	le.PutUint32(h[offSizeOfInitialized:], s.header.SizeOfInitializedData+b.initialized)
	le.PutUint32(h[offSizeOfImage:], uint32(roundUp(b.addr, uint64(s.header.SectionAlignment))))
	le.PutUint32(h[offSizeOfHeaders:], b.headers)
	if s.header.NumberOfRvaAndSizes > pe.IMAGE_DIRECTORY_ENTRY_SECURITY {
		le.PutUint64(h[offDirectories+directoryLen*pe.IMAGE_DIRECTORY_ENTRY_SECURITY:], 0)
	}
	le.PutUint32(h[offCheckSum:], 0)
	le.PutUint32(h[offCheckSum:], checksum(b.image))
	return b.image, nil
}

// builder appends sections to an image.
type builder struct {
	image             []byte // padded to the file alignment
	headers           uint32 // size of all headers
	addr              uint64 // end of the image in memory
	align, fileAlign  uint64
	code, initialized uint32 // bytes added of either kind
}

// add appends a section and writes its header at an offset of the image.
func (b *builder) add(x section, at int) error {
	raw := roundUp(uint64(len(x.data)), b.fileAlign)
	b.addr = roundUp(b.addr, b.align)
	if uint64(len(b.image))+raw > maxImage || b.addr+raw > maxImage {
		return fmt.Errorf("%w: expected an image of at most %d bytes", ErrTooLarge, maxImage)
	}
	if x.flags&pe.IMAGE_SCN_CNT_CODE != 0 {
		b.code += uint32(raw)
	} else {
		b.initialized += uint32(raw)
	}
	le, h := binary.LittleEndian, b.image[at:][:sectionHeaderLen]
	copy(h, x.name)
	le.PutUint32(h[8:], uint32(len(x.data)))
	le.PutUint32(h[12:], uint32(b.addr))
	le.PutUint32(h[16:], uint32(raw))
	le.PutUint32(h[20:], uint32(len(b.image)))
	le.PutUint32(h[36:], x.flags)
	b.image = pad(append(b.image, x.data...), b.fileAlign)
	b.addr += uint64(len(x.data))
	return nil
}

// room returns a copy of the stub with space for total section headers. If they
// do not fit, everything behind them moves.
func (s *stub) room(total int) (*builder, error) {
	b := &builder{
		headers:   s.header.SizeOfHeaders,
		addr:      s.end(),
		align:     uint64(max(s.header.SectionAlignment, pageSize)),
		fileAlign: uint64(s.header.FileAlignment),
	}
	need, have := uint32(s.table+sectionHeaderLen*total), s.header.SizeOfHeaders
	if need <= have {
		if len(bytes.Trim(s.data[s.tableEnd():need], "\x00")) > 0 {
			return nil, fmt.Errorf("stub: %w: expected nothing behind the section headers", ErrFormat)
		}
		b.image = pad(slices.Clone(s.data), b.fileAlign)
		return b, nil
	}
	grown := uint32(roundUp(uint64(need), b.fileAlign))
	for _, x := range s.file.Sections {
		if x.VirtualAddress < grown {
			return nil, fmt.Errorf("stub: %w: no room for %d section headers below section %s", ErrTooLarge, total, x.Name)
		}
	}
	if n := s.header.NumberOfRvaAndSizes; n > pe.IMAGE_DIRECTORY_ENTRY_DEBUG && s.header.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_DEBUG].Size > 0 {
		return nil, fmt.Errorf("stub: %w: no room for %d section headers, and a debug directory is in the way of making some", ErrTooLarge, total)
	}
	b.headers = grown
	b.image = slices.Concat(s.data[:s.tableEnd()], make([]byte, int(grown)-s.tableEnd()), s.data[have:])
	for i, x := range s.file.Sections {
		if x.Size > 0 {
			binary.LittleEndian.PutUint32(b.image[s.table+sectionHeaderLen*i+20:], x.Offset+grown-have)
		}
	}
	b.image = pad(b.image, b.fileAlign)
	return b, nil
}

// end returns the first address behind all sections in memory.
func (s *stub) end() uint64 {
	end := uint64(s.header.SizeOfHeaders)
	for _, x := range s.file.Sections {
		end = max(end, uint64(x.VirtualAddress)+uint64(max(x.VirtualSize, x.Size)))
	}
	return end
}

func roundUp(n, align uint64) uint64 { return (n + align - 1) &^ (align - 1) }

func pad(b []byte, align uint64) []byte {
	return append(b, make([]byte, roundUp(uint64(len(b)), align)-uint64(len(b)))...)
}

// checksum is PE's: the sum of all 16-bit words with carries added back in, plus
// the length. image has an even length.
func checksum(image []byte) uint32 {
	var sum uint32
	for i := 0; i+1 < len(image); i += 2 {
		sum += uint32(image[i]) | uint32(image[i+1])<<8
		sum = sum&0xffff + sum>>16
	}
	return sum&0xffff + sum>>16 + uint32(len(image))
}
