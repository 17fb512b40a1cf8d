package cpio

import (
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"
)

const (
	magic     = "070701"
	trailer   = "TRAILER!!!"
	headerLen = 110 // magic and 13 numbers of 8 hex digits
	alignment = 4

	// MaxName is the longest name or link target, in bytes. The kernel skips a
	// member whose name and its terminating NUL exceed PATH_MAX.
	MaxName = 4095
	// MaxSize is the largest member: sizes are 32-bit numbers.
	MaxSize = math.MaxUint32
)

// Unix mode bits of the entry types.
const (
	typeMask    = 0o170000
	typeFIFO    = 0o010000
	typeChar    = 0o020000
	typeDir     = 0o040000
	typeBlock   = 0o060000
	typeRegular = 0o100000
	typeSymlink = 0o120000
	typeSocket  = 0o140000

	modeSetuid = 0o4000
	modeSetgid = 0o2000
	modeSticky = 0o1000
)

// types pairs every entry type with the bits of an fs.FileMode.
var types = [...]struct {
	unix uint32
	mode fs.FileMode
}{
	{typeRegular, 0},
	{typeDir, fs.ModeDir},
	{typeSymlink, fs.ModeSymlink},
	{typeChar, fs.ModeDevice | fs.ModeCharDevice},
	{typeBlock, fs.ModeDevice},
	{typeFIFO, fs.ModeNamedPipe},
	{typeSocket, fs.ModeSocket},
}

// specials pairs the three bits above the permissions.
var specials = [...]struct {
	unix uint32
	mode fs.FileMode
}{
	{modeSetuid, fs.ModeSetuid},
	{modeSetgid, fs.ModeSetgid},
	{modeSticky, fs.ModeSticky},
}

// Align rounds n up to the next multiple of four: where the header behind a
// member of n bytes, counted from the archive's start, has to begin.
func Align(n int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }

// FileHeader returns what stands before a regular file's body: the header, the
// name and its padding. Its length depends on the name alone, so that a caller
// may stream a body of unknown size behind a first header and then overwrite it
// with the true one. The body has to be padded to Align afterwards. Errors:
// ErrName, ErrTooLarge.
func FileHeader(name string, perm fs.FileMode, mtime time.Time, size int64) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	mode, err := unixPerm(name, perm)
	if err != nil {
		return nil, err
	}
	stamp, err := unixTime(mtime)
	if err != nil {
		return nil, err
	}
	h := header{mode: typeRegular | mode, nlink: 1, mtime: stamp}
	if h.size, err = memberSize(name, size); err != nil {
		return nil, err
	}
	return h.append(nil, name), nil
}

// header holds the numbers of a newc header that ever differ from zero.
type header struct {
	ino, mode, nlink, mtime, size, major, minor uint32
}

// append adds the header, the name and the padding up to the body.
func (h header) append(b []byte, name string) []byte {
	const uid, gid, devMajor, devMinor, check = 0, 0, 0, 0, 0
	start := len(b)
	b = fmt.Appendf(b, magic+"%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		h.ino, h.mode, uid, gid, h.nlink, h.mtime, h.size,
		devMajor, devMinor, h.major, h.minor, len(name)+1, check)
	b = append(b, name...)
	b = append(b, 0)
	for (len(b)-start)%alignment != 0 {
		b = append(b, 0)
	}
	return b
}

func checkName(name string) error {
	switch {
	case !fs.ValidPath(name) || name == ".":
		return fmt.Errorf("cpio: member %q: %w: expected a clean relative path", name, ErrName)
	case strings.ContainsRune(name, 0):
		return fmt.Errorf("cpio: member %q: %w: expected no NUL", name, ErrName)
	case len(name) > MaxName:
		return fmt.Errorf("cpio: member %.40q…: %w: expected at most %d bytes, got %d", name, ErrName, MaxName, len(name))
	case name == trailer:
		return fmt.Errorf("cpio: member %q: %w: it marks an archive's end", name, ErrName)
	}
	return nil
}

func memberSize(name string, size int64) (uint32, error) {
	if size < 0 || size > MaxSize {
		return 0, fmt.Errorf("cpio: member %q: %w: expected at most %d bytes, got %d", name, ErrTooLarge, int64(MaxSize), size)
	}
	return uint32(size), nil
}

func unixTime(t time.Time) (uint32, error) {
	if t.IsZero() {
		return 0, nil
	}
	if s := t.Unix(); s >= 0 && s <= math.MaxUint32 {
		return uint32(s), nil
	}
	return 0, fmt.Errorf("cpio: time %s: %w: expected a year from 1970 to 2106", t.Format(time.RFC3339), ErrTooLarge)
}

// unixPerm converts permissions, refusing type bits: the caller's method says
// the type.
func unixPerm(name string, perm fs.FileMode) (uint32, error) {
	mode := uint32(perm.Perm())
	rest := perm &^ fs.ModePerm
	for _, s := range specials {
		if perm&s.mode != 0 {
			mode |= s.unix
			rest &^= s.mode
		}
	}
	if rest != 0 {
		return 0, fmt.Errorf("cpio: member %q: expected permission bits, got mode %v", name, perm)
	}
	return mode, nil
}

// fileMode is the inverse for the reader. Unknown types become irregular.
func fileMode(unix uint32) fs.FileMode {
	mode := fs.FileMode(unix & 0o777)
	for _, s := range specials {
		if unix&s.unix != 0 {
			mode |= s.mode
		}
	}
	for _, t := range types {
		if unix&typeMask == t.unix {
			return mode | t.mode
		}
	}
	return mode | fs.ModeIrregular
}
