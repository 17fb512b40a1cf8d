package erofs

import "io"

// Data says where the contents of one regular file lie in the image. The zero
// Data is an empty file. It is made by Writer.File.
type Data struct {
	size  int64
	start int64 // offset of the contiguous part in the image

	// The last bytes of a file may be stored behind its inode instead of in
	// a block of their own. They wait in tail until Close has put them to
	// tailAt.
	inline int64
	tail   []byte
	tailAt int64
}

// Size returns the file's length.
func (d Data) Size() int64 { return d.size }

// Open reads the contents back through the image they were written to.
// A file written before Close must be taken from its Node again after it.
func (d Data) Open(image io.ReaderAt) *io.SectionReader {
	if d.inline == 0 {
		return io.NewSectionReader(image, d.start, d.size)
	}
	return io.NewSectionReader(split{d, image}, 0, d.size)
}

// split joins the two parts of a file with an inlined tail.
type split struct {
	d     Data
	image io.ReaderAt
}

// ReadAt reads from the blocks first, then from the tail.
func (s split) ReadAt(p []byte, off int64) (int, error) {
	full := s.d.size - s.d.inline
	done := 0
	if off < full {
		n, err := s.image.ReadAt(p[:min(int64(len(p)), full-off)], s.d.start+off)
		if n == len(p) {
			return n, nil
		}
		if off+int64(n) < full {
			return n, err
		}
		done = n
	}
	rest := p[done:min(int64(len(p)), s.d.size-off)]
	at := off + int64(done) - full
	if s.d.tail != nil {
		copy(rest, s.d.tail[at:])
	} else if n, err := s.image.ReadAt(rest, s.d.tailAt+at); n < len(rest) {
		return done + n, err
	}
	if done += len(rest); done < len(p) {
		return done, io.EOF
	}
	return done, nil
}
