package flash

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// coreboot's file system: files at multiples of 64, each with a big-endian
// header.
const (
	cbfsMagic      = "LARCHIVE"
	cbfsAlign      = 64
	cbfsHeaderSize = 8 + 4*4
	maxCBFSName    = 1024
	maxCBFSFiles   = 4096
)

// cbfsFile is one file's place on the chip.
type cbfsFile struct {
	name string
	kind uint32
	data Range
}

// parseCBFS lists the files in a region.
func parseCBFS(chip []byte, r Region) ([]cbfsFile, error) {
	var out []cbfsFile
	for at := r.Offset; at+cbfsHeaderSize <= r.End(); {
		if string(chip[at:at+int64(len(cbfsMagic))]) != cbfsMagic {
			at += cbfsAlign
			continue
		}
		f, err := parseCBFSFile(chip, at, r.End())
		if err != nil {
			return nil, fmt.Errorf("%w: CBFS in %s: file at %#x: %w", ErrLayout, r.Name, at, err)
		}
		if out = append(out, f); len(out) > maxCBFSFiles {
			return nil, fmt.Errorf("%w: CBFS in %s: expected at most %d files, got more", ErrLayout, r.Name, maxCBFSFiles)
		}
		next := f.data.End() - r.Offset // files are aligned within their region
		at = r.Offset + (next+cbfsAlign-1)/cbfsAlign*cbfsAlign
	}
	return out, nil
}

func parseCBFSFile(chip []byte, at, end int64) (cbfsFile, error) {
	field := func(i int64) int64 { return int64(binary.BigEndian.Uint32(chip[at+8+4*i:])) }
	length, attributes, offset := field(0), field(2), field(3)
	if offset <= cbfsHeaderSize || offset > end-at || length > end-at-offset {
		return cbfsFile{}, fmt.Errorf("expected its data within %#x bytes, got %#x at %#x", end-at, length, offset)
	}
	nameEnd := offset
	if attributes > cbfsHeaderSize && attributes < offset {
		nameEnd = attributes
	}
	name := chip[at+cbfsHeaderSize : at+min(nameEnd, cbfsHeaderSize+maxCBFSName)]
	text, _, _ := strings.Cut(string(name), "\x00")
	return cbfsFile{text, uint32(field(1)), Range{at + offset, length}}, nil
}
