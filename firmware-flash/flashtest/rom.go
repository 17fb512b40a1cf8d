package flashtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/slipway-boot/slipway/firmware-flash"
)

// ROM returns the contents of a chip that is blank but for a flash map of the
// regions, in the one that is named "FMAP".
func ROM(size int64, regions ...flash.Region) []byte {
	out := bytes.Repeat([]byte{0xff}, int(size))
	for _, r := range regions {
		if r.Name == "FMAP" {
			copy(out[r.Offset:r.End()], FMAP(size, regions...))
		}
	}
	return out
}

// Region returns a region of this name, offset and size.
func Region(name string, offset, size int64) flash.Region {
	return flash.Region{Name: name, Range: flash.Range{Offset: offset, Size: size}}
}

// FMAP returns a flash map for a chip of this size.
func FMAP(size int64, regions ...flash.Region) []byte {
	out := append([]byte("__FMAP__"), 1, 1)
	out = binary.LittleEndian.AppendUint64(out, uint64(1<<32-size))
	out = binary.LittleEndian.AppendUint32(out, uint32(size))
	out = append(out, name32("FLASH")...)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(regions)))
	for _, r := range regions {
		out = binary.LittleEndian.AppendUint32(out, uint32(r.Offset))
		out = binary.LittleEndian.AppendUint32(out, uint32(r.Size))
		out = append(out, name32(r.Name)...)
		flags := uint16(1) // the area's place is fixed
		if r.Preserve {
			flags |= 1 << 3
		}
		out = binary.LittleEndian.AppendUint16(out, flags)
	}
	return out
}

func name32(name string) []byte {
	out := make([]byte, 32)
	copy(out, name)
	return out
}

// SetBoard writes coreboot's identification to the end of a chip's contents.
func SetBoard(rom []byte, vendor, part string) {
	const end = 0x80
	text := []byte("1.0\x00" + vendor + "\x00" + part + "\x00")
	back := uint32(end + 16 + len(text))
	foot := binary.LittleEndian.AppendUint32(nil, back)
	foot = binary.LittleEndian.AppendUint32(foot, back-4)
	foot = binary.LittleEndian.AppendUint32(foot, back-4-uint32(len(vendor))-1)
	foot = binary.LittleEndian.AppendUint32(foot, uint32(len(rom)))
	copy(rom[len(rom)-int(back):], append(text, foot...))
}

// slotMagic begins the header of a slot.
const slotMagic = "SLOT"

// SlotHeader is the part of a slot that PutSlot keeps free for the header.
const SlotHeader = flash.DefaultEraseSize

// PutSlot writes a bootable program into a region: in the first SlotHeader
// bytes magic, version, length and hash, and behind them the program.
func PutSlot(rom []byte, r flash.Region, version byte, program []byte) {
	slot := rom[r.Offset:r.End()]
	for i := range slot {
		slot[i] = 0xff
	}
	sum := slotSum(version, program)
	head := append([]byte(slotMagic), version)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(program)))
	copy(slot, append(head, sum[:]...))
	copy(slot[SlotHeader:], program)
}

// Bootable is the rule by which the model firmware selects: a slot counts if
// its header is whole and the hash in it is that of version and program. It returns
// the version.
func Bootable(rom []byte, r flash.Region) (version byte, ok bool) {
	slot := rom[r.Offset:r.End()]
	if string(slot[:4]) != slotMagic {
		return 0, false
	}
	n := binary.LittleEndian.Uint32(slot[5:])
	if int64(n) > r.Size-SlotHeader {
		return 0, false
	}
	sum := slotSum(slot[4], slot[SlotHeader:SlotHeader+n])
	return slot[4], bytes.Equal(sum[:], slot[9:9+len(sum)])
}

func slotSum(version byte, program []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte{version}, program...))
}
