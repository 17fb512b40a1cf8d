package oci

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync/atomic"
)

// pieceSize is how much is handed from one stage of a layer to the next.
const pieceSize = 256 << 10

// allowance is what is left of a ceiling, which several layers may share.
type allowance struct {
	ceiling int64
	what    string
	used    atomic.Int64
}

// take uses up n, or fails with ErrTooLarge.
func (a *allowance) take(n int64) error {
	if a.used.Add(n) > a.ceiling {
		return fmt.Errorf("%w: expected at most %d %s", ErrTooLarge, a.ceiling, a.what)
	}
	return nil
}

// readerFunc is a function as io.Reader.
type readerFunc func(p []byte) (int, error)

// Read calls f.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// interruptible reads from r until ctx ends.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

// hashedReader hashes and counts the bytes that pass through it. It keeps the
// error it ended with, so that a failure is blamed on the right stage.
type hashedReader struct {
	r     io.Reader
	limit *allowance
	sum   hash.Hash
	err   error // any end but io.EOF
}

func newHashedReader(r io.Reader, limit *allowance) *hashedReader {
	return &hashedReader{r: r, limit: limit, sum: sha256.New()}
}

// Read reads, hashes and counts.
func (h *hashedReader) Read(p []byte) (int, error) {
	if h.err != nil {
		return 0, h.err
	}
	n, err := h.r.Read(p)
	h.sum.Write(p[:n])
	if tooMuch := h.limit.take(int64(n)); tooMuch != nil {
		err = tooMuch
	}
	if err != nil && err != io.EOF {
		h.err = err
	}
	return n, err
}

// drain reads to the end.
func (h *hashedReader) drain() error {
	_, err := io.Copy(io.Discard, h)
	return err
}

// digest is that of the bytes so far.
func (h *hashedReader) digest() Digest {
	return Digest(sha256Prefix + hex.EncodeToString(h.sum.Sum(nil)))
}

// ahead lets the stages before it work in a goroutine of their own, at most
// two pieces ahead of the reader.
type ahead struct {
	*io.PipeReader
	done chan struct{}
}

func readAhead(r io.Reader) *ahead {
	out, in := io.Pipe()
	a := &ahead{out, make(chan struct{})}
	go func() {
		defer close(a.done)
		pieces := bufio.NewWriterSize(in, pieceSize)
		_, err := io.Copy(pieces, r)
		if err == nil {
			err = pieces.Flush()
		}
		in.CloseWithError(err)
	}()
	return a
}

// Close stops the goroutine and waits for it. The stages before it are free
// for the caller then.
func (a *ahead) Close() error {
	err := a.PipeReader.Close()
	<-a.done
	return err
}
