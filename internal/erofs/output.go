package erofs

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
)

const (
	superMagic  = 0xe0f5e1e2
	superOffset = 1024

	featureChecksum = 1 << 0 // the superblock's CRC-32C is valid
	featureMtime    = 1 << 1 // inode times are modification times
)

// writeTree writes the inode area of the given size, and the blocks that plan
// reserved for contents outside of it.
func (w *Writer) writeTree(inodes []*inode, area, size int64) error {
	numbered := make([]int, len(inodes))
	for k := range numbered {
		numbered[k] = k
	}
	slices.SortFunc(numbered, func(a, b int) int { return cmp.Compare(inodes[a].at, inodes[b].at) })
	out := sequence{out: w.out, off: area}
	var scratch []byte
	for _, k := range numbered {
		i := inodes[k]
		if err := w.writeBlocks(i); err != nil {
			return err
		}
		scratch = i.append(scratch[:0], uint32(k))
		if err := out.writeAt(scratch, area+i.at); err != nil {
			return err
		}
		if i.Type() == Regular {
			i.Data = Data{size: i.size, start: i.start, inline: i.inline, tailAt: area + i.at + i.core()}
		}
	}
	return out.finish(area + size)
}

// writeBlocks writes the contiguous contents that plan found: file data aside,
// which is there already.
func (w *Writer) writeBlocks(i *inode) error {
	if i.full() == 0 {
		return nil
	}
	out := sequence{out: w.out, off: i.start}
	switch i.Type() {
	case Regular:
		if i.Data.tail == nil || i.inline > 0 {
			return nil
		}
		if err := out.writeAt(i.Data.tail, i.start); err != nil {
			return err
		}
	case Symlink:
		if err := out.writeAt([]byte(i.Target), i.start); err != nil {
			return err
		}
	case Directory:
		blocks := dirBlocks(i.entries)
		if i.inline > 0 {
			blocks = blocks[:len(blocks)-1]
		}
		for k, block := range blocks {
			if err := out.writeAt(appendDir(nil, block), i.start+int64(k)*blockSize); err != nil {
				return err
			}
		}
	}
	return out.finish(i.start + roundUp(i.full(), blockSize))
}

// sequence gathers writes at ascending offsets into large ones, with zeros
// between them.
type sequence struct {
	out io.WriterAt
	off int64 // of buf
	buf []byte
}

func (s *sequence) writeAt(p []byte, off int64) error {
	if err := s.zeroTo(off); err != nil {
		return err
	}
	s.buf = append(s.buf, p...)
	return nil
}

// finish pads with zeros up to end and writes what is left.
func (s *sequence) finish(end int64) error {
	if err := s.zeroTo(end); err != nil {
		return err
	}
	return s.flush()
}

func (s *sequence) zeroTo(off int64) error {
	if len(s.buf) >= copyChunk {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.buf = append(s.buf, make([]byte, off-s.off-int64(len(s.buf)))...)
	return nil
}

func (s *sequence) flush() error {
	if _, err := s.out.WriteAt(s.buf, s.off); err != nil {
		return err
	}
	s.off += int64(len(s.buf))
	s.buf = s.buf[:0]
	return nil
}

// writeSuper writes block 0: zeros, and the superblock with the checksum of
// everything from it to the block's end.
func (w *Writer) writeSuper(root *inode, inodes int, area int64) error {
	le := binary.LittleEndian
	b := make([]byte, superOffset, blockSize)
	b = le.AppendUint32(b, superMagic)
	b = le.AppendUint32(b, 0) // checksum, below
	b = le.AppendUint32(b, featureChecksum|featureMtime)
	b = append(b, blockBits, 0)
	b = le.AppendUint16(b, uint16(root.nid()))
	b = le.AppendUint64(b, uint64(inodes))
	b = le.AppendUint64(b, uint64(w.built.Unix()))
	b = le.AppendUint32(b, uint32(w.built.Nanosecond()))
	b = le.AppendUint32(b, uint32(w.next/blockSize))
	b = le.AppendUint32(b, uint32(area/blockSize))
	b = le.AppendUint32(b, 0) // no shared attributes
	b = append(b, w.UUID[:]...)
	b = append(b, make([]byte, blockSize-len(b))...) // no volume name, no incompatible feature
	// Linux leaves out the final inversion of the CRC.
	sum := ^crc32.Checksum(b[superOffset:], crc32.MakeTable(crc32.Castagnoli))
	le.PutUint32(b[superOffset+4:], sum)
	_, err := w.out.WriteAt(b, 0)
	return err
}
