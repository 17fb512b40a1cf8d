package erofs

import "encoding/binary"

const (
	slotSize  = 32 // inode numbers count slots from the start of the inode area
	inodeSize = 64 // extended inode

	flatPlain  = 0 // contents are contiguous blocks
	flatInline = 2 // the last, partial block follows the inode

	noBlock = 1<<32 - 1
)

// inode is a node with its place in the image.
type inode struct {
	*Node
	parent  *inode // directories: what ".." means
	links   uint32
	entries []dirent // directories: sorted, with "." and ".."

	xattrs int64 // size of the attribute area
	size   int64
	start  int64 // offset of the contiguous part in the image
	inline int64 // bytes behind the attributes
	at     int64 // offset in the inode area
}

func (i *inode) nid() uint64 { return uint64(i.at / slotSize) }

// core is the size of what precedes the inlined data.
func (i *inode) core() int64 { return inodeSize + i.xattrs }

// full is the size of the contiguous part.
func (i *inode) full() int64 { return i.size - i.inline }

// append appends the extended inode, its attributes and its inlined data.
func (i *inode) append(b []byte, number uint32) []byte {
	le := binary.LittleEndian
	format, xattrUnits := uint16(1|flatPlain<<1), uint16(0)
	if i.inline > 0 {
		format = 1 | flatInline<<1
	}
	if i.xattrs > 0 {
		xattrUnits = uint16(1 + (i.xattrs-xattrHeader)/4)
	}
	b = le.AppendUint16(b, format)
	b = le.AppendUint16(b, xattrUnits)
	b = le.AppendUint16(b, i.Mode)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, uint64(i.size))
	b = le.AppendUint32(b, i.union())
	b = le.AppendUint32(b, number)
	b = le.AppendUint32(b, i.UID)
	b = le.AppendUint32(b, i.GID)
	b = le.AppendUint64(b, uint64(i.Mtime.Unix()))
	b = le.AppendUint32(b, uint32(i.Mtime.Nanosecond()))
	b = le.AppendUint32(b, i.links)
	b = append(b, make([]byte, 16)...)
	b = appendXattrs(b, i.Node)
	return i.appendInline(b)
}

// union is the field that holds a device number or the first block.
func (i *inode) union() uint32 {
	switch t := i.Type(); {
	case t == CharDevice || t == BlockDevice:
		return i.Rdev.encode()
	case i.full() > 0:
		return uint32(i.start / blockSize)
	case i.inline > 0:
		return noBlock
	}
	return 0
}

// appendInline appends what is stored behind the attributes.
func (i *inode) appendInline(b []byte) []byte {
	if i.inline == 0 {
		return b
	}
	switch i.Type() {
	case Regular:
		return append(b, i.Data.tail...)
	case Symlink:
		return append(b, i.Target...)
	}
	blocks := dirBlocks(i.entries)
	return appendDir(b, blocks[len(blocks)-1])
}
