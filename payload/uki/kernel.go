package uki

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Offsets in a bzImage, from Documentation/arch/x86/boot.rst.
const (
	offBootFlag    = 0x1fe // 0xaa55
	offHeaderMagic = 0x202 // "HdrS"
	offProtocol    = 0x206
	offVersionPtr  = 0x20e // + 0x200: the version's place in the file
	offXLoadFlags  = 0x236
	offCmdlineSize = 0x238
	offInitSize    = 0x260
	setupHeaderEnd = 0x264

	xlfKernel64 = 1 << 0

	bootFlag    = 0xaa55
	headerMagic = "HdrS"
	protocol    = 0x020c // the first to have all of these fields

	maxVersion = 512 // bytes of the version string
)

// Kernel is what an x86 bzImage says of itself.
type Kernel struct {
	Release  string // "6.1.0-50-amd64": the name of its modules directory
	Version  string // Release and who built it when
	Bits64   bool   // has a 64-bit entry
	Cmdline  int    // bytes of the longest command line it takes
	InitSize int64  // bytes of memory it needs to decompress itself
}

// ParseKernel reads the setup header of an x86 bzImage. Error: ErrFormat.
func ParseKernel(r io.ReaderAt) (*Kernel, error) {
	head := make([]byte, setupHeaderEnd)
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return nil, fmt.Errorf("kernel: %w: expected a bzImage, got %d bytes: %w", ErrFormat, n, err)
	}
	le := binary.LittleEndian
	if le.Uint16(head[offBootFlag:]) != bootFlag || string(head[offHeaderMagic:][:4]) != headerMagic {
		return nil, fmt.Errorf("kernel: %w: expected a bzImage, found no setup header", ErrFormat)
	}
	if v := le.Uint16(head[offProtocol:]); v < protocol {
		return nil, fmt.Errorf("kernel: %w: expected boot protocol %#x or later, got %#x", ErrFormat, protocol, v)
	}
	version := make([]byte, maxVersion)
	n, err := r.ReadAt(version, 0x200+int64(le.Uint16(head[offVersionPtr:])))
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("kernel: %w: version: %w", ErrFormat, err)
	}
	text, _, ended := bytes.Cut(version[:n], []byte{0})
	release, _, _ := strings.Cut(string(text), " ")
	if !ended || !printable(string(text)) || release == "" || strings.Contains(release, "/") {
		return nil, fmt.Errorf("kernel: %w: expected a version string, got %.40q", ErrFormat, text)
	}
	return &Kernel{
		Release:  release,
		Version:  string(text),
		Bits64:   le.Uint16(head[offXLoadFlags:])&xlfKernel64 != 0,
		Cmdline:  int(le.Uint32(head[offCmdlineSize:])),
		InitSize: int64(le.Uint32(head[offInitSize:])),
	}, nil
}

// printable reports whether s is ASCII without control characters.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
