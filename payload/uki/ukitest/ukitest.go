// Package ukitest makes EFI stubs and kernels for tests: files with honest
// headers and no code. [Stub] gives a stub to assemble onto, [Kernel] a bzImage
// with an EFI entry.
package ukitest

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
)

const (
	signatureAt   = 0x40
	optionalSize  = 240
	sectionHeader = 40
	fileAlignment = 0x200
)

// Layout describes a PE file. The zero value is a stub for amd64 with one
// section and no room for more headers than that.
type Layout struct {
	Machine   uint16   // 0 means amd64
	Subsystem uint16   // 0 means an EFI application
	Sections  []string // names; nil means .sbat
	Spare     int      // section headers to leave room for
	FirstAddr uint32   // address of the first section; 0 means 0x1000
	Debug     bool     // has a debug directory
	Signed    bool     // has a certificate table behind it, and symbols before that
}

// Stub returns a PE file. Every section holds its own name.
func Stub(l Layout) []byte {
	if l.Sections == nil {
		l.Sections = []string{".sbat"}
	}
	if l.Machine == 0 {
		l.Machine = pe.IMAGE_FILE_MACHINE_AMD64
	}
	if l.Subsystem == 0 {
		l.Subsystem = pe.IMAGE_SUBSYSTEM_EFI_APPLICATION
	}
	if l.FirstAddr == 0 {
		l.FirstAddr = 0x1000
	}
	table := signatureAt + 4 + 20 + optionalSize
	headers := round(table+sectionHeader*(len(l.Sections)+l.Spare), fileAlignment)
	if l.Spare == 0 { // move the table up to the very end of the headers
		headers = table + sectionHeader*len(l.Sections)
	}
	h := pe.OptionalHeader64{
		Magic: 0x20b, SectionAlignment: 0x1000, FileAlignment: fileAlignment, Subsystem: l.Subsystem,
		SizeOfHeaders: uint32(headers), SizeOfImage: l.FirstAddr + uint32(0x1000*len(l.Sections)), NumberOfRvaAndSizes: 16,
	}
	if l.Debug {
		h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_DEBUG] = pe.DataDirectory{VirtualAddress: l.FirstAddr, Size: 28}
	}
	raw := round(headers, fileAlignment)
	end := raw + fileAlignment*len(l.Sections)
	if l.Signed {
		h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY] = pe.DataDirectory{VirtualAddress: uint32(end + 22), Size: 8}
	}
	var b bytes.Buffer
	b.Write(make([]byte, signatureAt))
	b.WriteString("PE\x00\x00")
	put(&b, pe.FileHeader{Machine: l.Machine, NumberOfSections: uint16(len(l.Sections)), SizeOfOptionalHeader: optionalSize, Characteristics: pe.IMAGE_FILE_EXECUTABLE_IMAGE})
	put(&b, h)
	for i, name := range l.Sections {
		s := pe.SectionHeader32{
			VirtualSize: uint32(len(name)), VirtualAddress: l.FirstAddr + uint32(0x1000*i),
			SizeOfRawData: fileAlignment, PointerToRawData: uint32(raw + fileAlignment*i), Characteristics: 0x40000040,
		}
		copy(s.Name[:], name)
		put(&b, s)
	}
	for i, name := range l.Sections {
		b.Write(make([]byte, raw+fileAlignment*i-b.Len()))
		b.WriteString(name)
	}
	b.Write(make([]byte, end-b.Len()))
	image := b.Bytes()
	copy(image, "MZ")
	binary.LittleEndian.PutUint32(image[0x3c:], signatureAt)
	if l.Signed {
		binary.LittleEndian.PutUint32(image[signatureAt+12:], uint32(end))
		binary.LittleEndian.PutUint32(image[signatureAt+16:], 1)
		image = append(image, make([]byte, 18)...)    // one symbol
		image = append(image, 4, 0, 0, 0)             // no strings
		image = append(image, 8, 0, 0, 0, 0, 2, 2, 0) // a certificate
	}
	return image
}

// Kernel returns a bzImage of a release for amd64, with an EFI entry.
func Kernel(release string) []byte {
	image := Stub(Layout{Sections: []string{".text"}, Spare: 30})
	le := binary.LittleEndian
	// The setup header and the version text lie where Stub put only zeros.
	le.PutUint16(image[0x1fe:], 0xaa55)
	copy(image[0x202:], "HdrS")
	le.PutUint16(image[0x206:], 0x020f)
	le.PutUint16(image[0x20e:], 0x300-0x200)
	le.PutUint16(image[0x236:], 1)
	le.PutUint32(image[0x238:], 2047)
	le.PutUint32(image[0x260:], 1<<24)
	copy(image[0x300:], release+" (builder@host) #1 SMP")
	return image
}

func round(n, to int) int { return (n + to - 1) / to * to }

// put writes a fixed-size value; a bytes.Buffer cannot fail.
func put(b *bytes.Buffer, v any) { binary.Write(b, binary.LittleEndian, v) }
