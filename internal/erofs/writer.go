package erofs

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	blockBits = 12
	blockSize = 1 << blockBits

	maxImage  = (1<<32 - 1) * blockSize // block numbers have 32 bits
	maxInline = blockSize / 2           // a longer tail gets a block of its own
	maxTails  = 32 << 20                // tails kept in memory, all files together
	copyChunk = 64 * blockSize          // buffer of one file being written
)

// Writer writes one image. Its exported fields are set before the first call.
type Writer struct {
	UUID    [16]byte // zero: none
	MaxSize int64    // ceiling for the image in bytes; 0: what the format can hold

	out   io.WriterAt
	built time.Time
	bufs  sync.Pool

	mu     sync.Mutex
	next   int64 // first free byte, a multiple of blockSize
	tails  int64
	closed bool
}

// NewWriter prepares an image that begins at offset 0 of out, with built as
// its creation time. Nothing is written yet.
func NewWriter(out io.WriterAt, built time.Time) *Writer {
	return &Writer{
		out:   out,
		built: built,
		bufs:  sync.Pool{New: func() any { return new([copyChunk]byte) }},
		next:  blockSize, // block 0 is the superblock's
	}
}

// File stores the next size bytes of r as the contents of a regular file. It
// may be called from several goroutines. It returns ErrTooLarge if there is no
// room, and io.ErrUnexpectedEOF if r ends early.
func (w *Writer) File(r io.Reader, size int64) (Data, error) {
	if size < 0 {
		return Data{}, fmt.Errorf("erofs: file: expected a size of 0 or more, got %d", size)
	}
	start, inline, err := w.reserveFile(size)
	if err != nil {
		return Data{}, fmt.Errorf("erofs: file of %d bytes: %w", size, err)
	}
	d := Data{size: size, start: start, inline: inline}
	if err := w.copyBlocks(r, start, size-inline); err != nil {
		return Data{}, fmt.Errorf("erofs: file of %d bytes: %w", size, err)
	}
	if inline > 0 {
		d.tail = make([]byte, inline)
		if err := readFull(r, d.tail); err != nil {
			return Data{}, fmt.Errorf("erofs: file of %d bytes: %w", size, err)
		}
	}
	return d, nil
}

// reserveFile takes the blocks for a file and decides whether its tail waits
// in memory for Close.
func (w *Writer) reserveFile(size int64) (start, inline int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, 0, errors.New("writer is closed")
	}
	inline = size % blockSize
	if inline > maxInline || w.tails+inline > maxTails {
		inline = 0
	}
	if start, err = w.reserve(size - inline); err == nil {
		w.tails += inline
	}
	return start, inline, err
}

// reserve takes as many whole blocks as n bytes need. The caller holds w.mu.
func (w *Writer) reserve(n int64) (start int64, err error) {
	ceiling := int64(maxImage)
	if w.MaxSize > 0 {
		ceiling = min(ceiling, w.MaxSize)
	}
	if n > ceiling-w.next || roundUp(n, blockSize) > ceiling-w.next {
		return 0, fmt.Errorf("%w: expected at most %d bytes", ErrTooLarge, ceiling)
	}
	start = w.next
	w.next += roundUp(n, blockSize)
	return start, nil
}

// copyBlocks writes n bytes of r at off, padded with zeros to a whole block.
func (w *Writer) copyBlocks(r io.Reader, off, n int64) error {
	buf := w.bufs.Get().(*[copyChunk]byte)
	defer w.bufs.Put(buf)
	for n > 0 {
		chunk := buf[:min(n, copyChunk)]
		if err := readFull(r, chunk); err != nil {
			return err
		}
		n -= int64(len(chunk))
		padded := buf[:roundUp(int64(len(chunk)), blockSize)]
		clear(padded[len(chunk):])
		if _, err := w.out.WriteAt(padded, off); err != nil {
			return err
		}
		off += int64(len(padded))
	}
	return nil
}

// readFull is io.ReadFull for callers to whom any early end is unexpected.
func readFull(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// roundUp returns the smallest multiple of unit that is not below n.
func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }
