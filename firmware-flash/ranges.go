package flash

import (
	"bytes"
	"fmt"
	"strings"
)

// Range is a part of the chip.
type Range struct {
	Offset int64 `json:"offset"`
	Size   int64 `json:"size"`
}

// End is the first byte behind the range.
func (r Range) End() int64 { return r.Offset + r.Size }

// String returns both limits, the last byte included: "0x1000-0x1fff".
func (r Range) String() string {
	if r.Size == 0 {
		return fmt.Sprintf("nothing at %#x", r.Offset)
	}
	return fmt.Sprintf("%#x-%#x", r.Offset, r.End()-1)
}

// Overlaps reports whether the ranges have a byte in common.
func (r Range) Overlaps(o Range) bool {
	return r.Size > 0 && o.Size > 0 && r.Offset < o.End() && o.Offset < r.End()
}

// Contains reports whether all of o lies in r.
func (r Range) Contains(o Range) bool { return o.Offset >= r.Offset && o.End() <= r.End() }

// outward rounds r out to whole blocks.
func (r Range) outward(block int64) Range {
	start := r.Offset - r.Offset%block
	end := (r.End() + block - 1) / block * block
	return Range{start, end - start}
}

// of returns the range's bytes of a chip.
func (r Range) of(chip []byte) []byte { return chip[r.Offset:r.End()] }

// appendRange adds r, joined with the last range if it is adjacent.
func appendRange(list []Range, r Range) []Range {
	if n := len(list); n > 0 && list[n-1].End() == r.Offset {
		list[n-1].Size += r.Size
		return list
	}
	return append(list, r)
}

func joinRanges(list []Range) string {
	var parts []string
	for _, r := range list {
		parts = append(parts, r.String())
	}
	return strings.Join(parts, ", ")
}

// differences lists the blocks in which a and b, of one size, differ.
func differences(a, b []byte, block int64) []Range {
	var out []Range
	for off := int64(0); off < int64(len(a)); off += block {
		end := min(off+block, int64(len(a)))
		if !bytes.Equal(a[off:end], b[off:end]) {
			out = appendRange(out, Range{off, end - off})
		}
	}
	return out
}

// firstDifference returns the first place where a and b, of one size, differ,
// or -1.
func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// isBlank reports whether every byte is as after an erase.
func isBlank(p []byte) bool {
	for _, c := range p {
		if c != 0xff {
			return false
		}
	}
	return true
}

// clearsOnly reports whether want can be programmed over have without an
// erase.
func clearsOnly(have, want []byte) bool {
	for i := range have {
		if want[i]&^have[i] != 0 {
			return false
		}
	}
	return true
}
