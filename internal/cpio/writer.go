package cpio

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// dirPerm is the mode of parent directories nobody asked for.
const dirPerm = 0o755

// Writer writes one archive. After an error every further call returns it.
type Writer struct {
	w     io.Writer
	mtime uint32
	ino   uint32
	seen  map[string]uint32 // name to mode
	buf   []byte
	err   error
}

// NewWriter returns a Writer whose entries all carry mtime; the zero time is
// 1970. A time that the format cannot express is reported by the first entry.
func NewWriter(w io.Writer, mtime time.Time) *Writer {
	stamp, err := unixTime(mtime)
	return &Writer{w: w, mtime: stamp, seen: make(map[string]uint32), err: err}
}

// Dir adds a directory. Adding one again is fine if its mode is the same.
func (w *Writer) Dir(name string, perm fs.FileMode) error {
	return w.member(name, perm, header{mode: typeDir, nlink: 2}, 0, nil)
}

// File adds a regular file.
func (w *Writer) File(name string, perm fs.FileMode, data []byte) error {
	return w.Stream(name, perm, int64(len(data)), bytes.NewReader(data))
}

// Stream adds a regular file of exactly size bytes read from r.
func (w *Writer) Stream(name string, perm fs.FileMode, size int64, r io.Reader) error {
	return w.member(name, perm, header{mode: typeRegular, nlink: 1}, size, r)
}

// Symlink adds a symbolic link.
func (w *Writer) Symlink(name, target string) error {
	if w.err == nil && (target == "" || len(target) > MaxName || strings.ContainsRune(target, 0)) {
		w.err = fmt.Errorf("cpio: member %q: target %.40q: %w: expected 1 to %d bytes without NUL", name, target, ErrName, MaxName)
	}
	return w.member(name, fs.ModePerm, header{mode: typeSymlink, nlink: 1}, int64(len(target)), strings.NewReader(target))
}

// Device adds a device node, or a named pipe. kind is the type part of an
// fs.FileMode: fs.ModeDevice, fs.ModeDevice|fs.ModeCharDevice or
// fs.ModeNamedPipe (then both numbers are zero).
func (w *Writer) Device(name string, perm, kind fs.FileMode, major, minor uint32) error {
	h := header{nlink: 1, major: major, minor: minor}
	switch kind {
	case fs.ModeDevice:
		h.mode = typeBlock
	case fs.ModeDevice | fs.ModeCharDevice:
		h.mode = typeChar
	case fs.ModeNamedPipe:
		h.mode = typeFIFO
	default:
		return w.fail(fmt.Errorf("cpio: member %q: expected a device or pipe, got kind %v", name, kind))
	}
	return w.member(name, perm, h, 0, nil)
}

// Close writes the trailer, padded so that another archive may follow. It does
// not close the underlying writer.
func (w *Writer) Close() error {
	w.write(header{nlink: 1}.append(w.buf[:0], trailer))
	if w.err != nil {
		return w.err
	}
	w.err = fmt.Errorf("cpio: %w: the archive is closed", fs.ErrClosed)
	return nil
}

// member writes the parents, the header, and size bytes of body.
func (w *Writer) member(name string, perm fs.FileMode, h header, size int64, body io.Reader) error {
	if w.err != nil {
		return w.err
	}
	if err := checkName(name); err != nil {
		return w.fail(err)
	}
	bits, err := unixPerm(name, perm)
	if err != nil {
		return w.fail(err)
	}
	if h.size, err = memberSize(name, size); err != nil {
		return w.fail(err)
	}
	h.mode |= bits
	if old, ok := w.seen[name]; ok {
		if old == h.mode && old&typeMask == typeDir {
			return nil
		}
		return w.fail(fmt.Errorf("cpio: member %q: %w: already written with mode %o, now %o", name, ErrName, old, h.mode))
	}
	w.parents(name)
	w.ino++
	h.ino, h.mtime = w.ino, w.mtime
	w.seen[name] = h.mode
	w.write(h.append(w.buf[:0], name))
	w.body(name, size, body)
	return w.err
}

// parents writes the directories above name that are not there yet.
func (w *Writer) parents(name string) {
	dir := path.Dir(name)
	if dir == "." || w.err != nil {
		return
	}
	if mode, ok := w.seen[dir]; !ok {
		w.Dir(dir, dirPerm) // an error sticks
	} else if mode&typeMask != typeDir {
		w.fail(fmt.Errorf("cpio: member %q: %w: %q is not a directory", name, ErrName, dir))
	}
}

func (w *Writer) body(name string, size int64, r io.Reader) {
	if w.err != nil || size == 0 {
		return
	}
	if n, err := io.CopyN(w.w, r, size); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		w.fail(fmt.Errorf("cpio: member %q: body: byte %d of %d: %w", name, n, size, err))
		return
	}
	w.write(make([]byte, Align(size)-size))
}

// write keeps the buffer for the next header.
func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	if _, err := w.w.Write(b); err != nil {
		w.err = fmt.Errorf("cpio: write: %w", err)
	}
	w.buf = b
}

func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}
