package cpio

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Limits bound what a Reader accepts. A zero field means its default.
type Limits struct {
	Members int   // entries in all archives together; 1,000,000
	Total   int64 // bytes in all archives together, bodies included; 64 GiB
}

const (
	defaultMembers = 1_000_000
	defaultTotal   = 64 << 30
)

// Header describes one entry.
type Header struct {
	Name         string      // as written: may be absolute, unclean or hostile
	Mode         fs.FileMode // type and permissions
	ModTime      time.Time
	Size         int64 // of the body: for a symbolic link, of its target
	Inode, Links uint32
	UID, GID     uint32
	Major, Minor uint32 // of a device node
}

// Reader reads archives joined end to end.
type Reader struct {
	r       *bufio.Reader
	lim     Limits
	off     int64 // bytes consumed since the start
	body    int64 // bytes of the current member not read yet
	members int
	err     error
}

// NewReader returns a Reader. It reads ahead; what is left belongs to Rest.
func NewReader(r io.Reader, lim Limits) *Reader {
	if lim.Members == 0 {
		lim.Members = defaultMembers
	}
	if lim.Total == 0 {
		lim.Total = defaultTotal
	}
	return &Reader{r: bufio.NewReader(r), lim: lim}
}

// Next skips the rest of the current member and returns the next. It returns
// io.EOF behind the last archive, whether or not other bytes follow. Errors:
// ErrFormat, ErrTooLarge, io.ErrUnexpectedEOF for an archive that stops early.
func (r *Reader) Next() (*Header, error) {
	if r.err != nil {
		return nil, r.err
	}
	h, err := r.next()
	if err != nil {
		r.err = err
	}
	return h, err
}

func (r *Reader) next() (*Header, error) {
	for {
		if err := r.skipBody(); err != nil {
			return nil, err
		}
		h, err := r.header()
		if err != nil {
			return nil, err
		}
		if h.Name != trailer {
			r.members++
			if r.members > r.lim.Members {
				return nil, fmt.Errorf("cpio: %w: expected at most %d members", ErrTooLarge, r.lim.Members)
			}
			if h.Size > r.lim.Total-r.off {
				return nil, fmt.Errorf("cpio: member %q: %w: expected at most %d bytes in all", h.Name, ErrTooLarge, r.lim.Total)
			}
			r.body = h.Size
			return h, nil
		}
		more, err := r.nextArchive()
		if err != nil {
			return nil, err
		}
		if !more {
			return nil, io.EOF
		}
	}
}

// Read reads the current member's body.
func (r *Reader) Read(p []byte) (int, error) {
	if r.body == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > r.body {
		p = p[:r.body]
	}
	n, err := r.r.Read(p)
	r.off += int64(n)
	r.body -= int64(n)
	if err == io.EOF && r.body > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Offset returns how many bytes were consumed: after Next, where the member's
// body begins; after io.EOF, where Rest begins.
func (r *Reader) Offset() int64 { return r.off }

// Rest returns everything behind the last archive. It is only meaningful once
// Next has returned io.EOF.
func (r *Reader) Rest() io.Reader { return r.r }

// skipBody moves to the next header.
func (r *Reader) skipBody() error {
	n := Align(r.off+r.body) - r.off
	r.body = 0
	return r.discard(n)
}

func (r *Reader) discard(n int64) error {
	if r.off+n > r.lim.Total {
		return fmt.Errorf("cpio: %w: expected at most %d bytes", ErrTooLarge, r.lim.Total)
	}
	m, err := io.CopyN(io.Discard, r.r, n)
	r.off += m
	return short(err)
}

// nextArchive skips the zeros behind a trailer and tells whether a header
// follows. The kernel wants it on a multiple of four bytes.
func (r *Reader) nextArchive() (bool, error) {
	for {
		b, err := r.r.ReadByte()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if b == 0 {
			r.off++
			if r.off > r.lim.Total {
				return false, fmt.Errorf("cpio: %w: expected at most %d bytes", ErrTooLarge, r.lim.Total)
			}
			continue
		}
		if err := r.r.UnreadByte(); err != nil {
			return false, err
		}
		head, err := r.r.Peek(len(magic))
		if err != nil && err != io.EOF {
			return false, err
		}
		return string(head) == magic && r.off%alignment == 0, nil
	}
}

func (r *Reader) header() (*Header, error) {
	var b [headerLen]byte
	if err := r.full(b[:]); err != nil {
		return nil, err
	}
	var n [13]uint32
	if string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("cpio: offset %d: %w: expected magic %s, got %q", r.off-headerLen, ErrFormat, magic, b[:len(magic)])
	}
	for i := range n {
		v, ok := hex8(b[len(magic)+8*i:][:8])
		if !ok {
			return nil, fmt.Errorf("cpio: offset %d: %w: expected hex digits in the header", r.off-headerLen, ErrFormat)
		}
		n[i] = v
	}
	name, err := r.name(n[11])
	if err != nil {
		return nil, err
	}
	return &Header{
		Name: name, Inode: n[0], Mode: fileMode(n[1]), UID: n[2], GID: n[3], Links: n[4],
		ModTime: time.Unix(int64(n[5]), 0).UTC(), Size: int64(n[6]), Major: n[9], Minor: n[10],
	}, nil
}

// name reads a name of size bytes, NUL included, and the padding up to the body.
func (r *Reader) name(size uint32) (string, error) {
	if size < 2 || size > MaxName+1 {
		return "", fmt.Errorf("cpio: offset %d: %w: expected a name of 1 to %d bytes", r.off, ErrFormat, MaxName)
	}
	b := make([]byte, size)
	if err := r.full(b); err != nil {
		return "", err
	}
	if bytes.IndexByte(b, 0) != len(b)-1 {
		return "", fmt.Errorf("cpio: offset %d: %w: expected the name to end at its only NUL", r.off, ErrFormat)
	}
	return string(b[:size-1]), r.discard(Align(r.off) - r.off)
}

func (r *Reader) full(b []byte) error {
	if r.off+int64(len(b)) > r.lim.Total {
		return fmt.Errorf("cpio: %w: expected at most %d bytes", ErrTooLarge, r.lim.Total)
	}
	n, err := io.ReadFull(r.r, b)
	r.off += int64(n)
	return short(err)
}

// short says that an archive without a trailer is cut off.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("cpio: no trailer: %w", io.ErrUnexpectedEOF)
	}
	return err
}

func hex8(b []byte) (v uint32, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint32(c)
	}
	return v, true
}
