package flash

import (
	"encoding/binary"
	"fmt"
)

// Intel's flash descriptor, in the first 4 KiB of the chip.
const (
	ifdSize      = 4 << 10
	ifdSignature = 0x0ff0a55a
	ifdMagicAt   = 0x10
	ifdMapAt     = 0x14 // FLMAP0
	ifdUnit      = 4 << 10
)

// ifdNames are the descriptor's regions in the order of its registers, as
// flashrom calls them.
var ifdNames = [...]string{"fd", "bios", "me", "gbe", "pd"}

// parseIFD returns the used regions of the descriptor, if there is one.
func parseIFD(data []byte) ([]Region, error) {
	if len(data) < ifdSize || binary.LittleEndian.Uint32(data[ifdMagicAt:]) != ifdSignature {
		return nil, nil
	}
	base := int(binary.LittleEndian.Uint32(data[ifdMapAt:])>>16&0xff) << 4
	if base+4*len(ifdNames) > ifdSize {
		return nil, fmt.Errorf("flash descriptor: region table at %#x, expected it below %#x", base, ifdSize)
	}
	var out []Region
	for i, name := range ifdNames {
		reg := binary.LittleEndian.Uint32(data[base+4*i:])
		start := int64(reg&0x7fff) * ifdUnit
		end := (int64(reg>>16&0x7fff) + 1) * ifdUnit
		if end <= start {
			continue // how unused regions are written
		}
		if end > int64(len(data)) {
			return nil, fmt.Errorf("flash descriptor: region %s ends at %#x, expected at most %#x", name, end, len(data))
		}
		out = append(out, Region{Name: "ifd:" + name, Range: Range{start, end - start}})
	}
	return out, nil
}
