package flash

import (
	"bytes"
	"encoding/binary"
)

// coreboot's identification on x86: strings, then four numbers: how far
// before the end of the chip version, vendor and part number begin, and the
// chip's size.
const (
	boardFooter  = 16
	maxBoardName = 64
	boardReach   = 4 << 10 // the strings are at most this far from the end
)

// boardEnds are the distances from the end of the chip at which coreboot has
// put the end of the numbers.
var boardEnds = [...]int{0x80, 0x10}

// parseBoard returns "vendor part", or "" if no identification is found.
func parseBoard(data []byte) string {
	for _, end := range boardEnds {
		if len(data) < end+boardFooter {
			continue
		}
		p := data[len(data)-end-boardFooter:]
		if binary.LittleEndian.Uint32(p[12:]) != uint32(len(data)) {
			continue
		}
		vendor := boardName(data, binary.LittleEndian.Uint32(p[4:]))
		part := boardName(data, binary.LittleEndian.Uint32(p[8:]))
		if vendor != "" && part != "" {
			return vendor + " " + part
		}
	}
	return ""
}

// boardName reads the string that begins so far before the end of the chip.
func boardName(data []byte, back uint32) string {
	if back == 0 || back > boardReach || int(back) > len(data) {
		return ""
	}
	p := data[len(data)-int(back):]
	end := bytes.IndexByte(p[:min(len(p), maxBoardName)], 0)
	if end <= 0 {
		return ""
	}
	for _, c := range p[:end] {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return string(p[:end])
}
