package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	gptHeaderLen  = 92
	gptEntryLen   = 128
	maxEntries    = 128 // of the partition table
	gptSignature  = "EFI PART"
	maxHeaderSize = sectorSize
)

// typeESP is the type GUID C12A7328-F81F-11D2-BA4B-00A0C93EC93B as stored.
var typeESP = [16]byte{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b}

// findESP returns the first EFI system partition of a disk.
func findESP(r io.ReaderAt, size int64) (*io.SectionReader, error) {
	entries, err := readTable(r, size)
	if err != nil {
		return nil, err
	}
	for ; len(entries) > 0; entries = entries[gptEntryLen:] {
		if !bytes.Equal(entries[:16], typeESP[:]) {
			continue
		}
		first, last := binary.LittleEndian.Uint64(entries[32:]), binary.LittleEndian.Uint64(entries[40:])
		if first == 0 || last < first || last >= uint64(size)/sectorSize {
			return nil, fmt.Errorf("%w: partition from sector %d to %d of %d", ErrFormat, first, last, size/sectorSize)
		}
		return io.NewSectionReader(r, int64(first)*sectorSize, int64(last-first+1)*sectorSize), nil
	}
	return nil, ErrNoESP
}

// readTable returns the partition entries of the first copy of the table.
func readTable(r io.ReaderAt, size int64) ([]byte, error) {
	h := make([]byte, sectorSize)
	if _, err := r.ReadAt(h, sectorSize); err != nil {
		return nil, fmt.Errorf("%w: partition table: %w", ErrFormat, err)
	}
	le := binary.LittleEndian
	length := le.Uint32(h[12:])
	if string(h[:8]) != gptSignature || length < gptHeaderLen || length > maxHeaderSize {
		return nil, fmt.Errorf("%w: expected a GPT in sector 1", ErrFormat)
	}
	sum := le.Uint32(h[16:])
	le.PutUint32(h[16:], 0)
	if got := crc32.ChecksumIEEE(h[:length]); got != sum {
		return nil, fmt.Errorf("%w: GPT header: expected checksum %08x, got %08x", ErrFormat, sum, got)
	}
	at, count, each := le.Uint64(h[72:]), le.Uint32(h[80:]), le.Uint32(h[84:])
	if each != gptEntryLen || count > maxEntries || at > uint64(size)/sectorSize {
		return nil, fmt.Errorf("%w: GPT: expected at most %d entries of %d bytes, got %d of %d", ErrFormat, maxEntries, gptEntryLen, count, each)
	}
	entries := make([]byte, count*each)
	if _, err := r.ReadAt(entries, int64(at)*sectorSize); err != nil {
		return nil, fmt.Errorf("%w: GPT entries: %w", ErrFormat, err)
	}
	if want, got := le.Uint32(h[88:]), crc32.ChecksumIEEE(entries); got != want {
		return nil, fmt.Errorf("%w: GPT entries: expected checksum %08x, got %08x", ErrFormat, want, got)
	}
	return entries, nil
}
