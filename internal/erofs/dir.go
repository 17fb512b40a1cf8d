package erofs

import "encoding/binary"

const direntSize = 12 // inode number, offset of the name, type, reserved

// dirent is one name in a directory.
type dirent struct {
	name string
	node *inode
}

// dirBlocks splits sorted entries into the blocks of a directory. Each block
// holds its entries' headers, then their names, and is searched by its first.
func dirBlocks(entries []dirent) (blocks [][]dirent) {
	first, used := 0, 0
	for i, e := range entries {
		need := direntSize + len(e.name)
		if used+need > blockSize {
			blocks = append(blocks, entries[first:i])
			first, used = i, 0
		}
		used += need
	}
	return append(blocks, entries[first:])
}

// dirSize returns the length of one block's entries.
func dirSize(block []dirent) (n int64) {
	for _, e := range block {
		n += int64(direntSize + len(e.name))
	}
	return n
}

// appendDir appends one block of a directory, without padding.
func appendDir(b []byte, block []dirent) []byte {
	nameOff := direntSize * len(block)
	for _, e := range block {
		b = binary.LittleEndian.AppendUint64(b, e.node.nid())
		b = binary.LittleEndian.AppendUint16(b, uint16(nameOff))
		b = append(b, direntTypes[e.node.Type()>>12], 0)
		nameOff += len(e.name)
	}
	for _, e := range block {
		b = append(b, e.name...)
	}
	return b
}
