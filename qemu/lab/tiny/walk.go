package tiny

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Inode is what one name of a file system leads to. Guest and tests fill it
// in, each with a reader of its own, and compare what WalkLines makes of it.
type Inode struct {
	Path     string // absolute
	Ino      uint64 // not compared: it tells which names are hard links of one another
	Mode     fs.FileMode
	UID, GID uint32
	Size     int64
	Mtime    time.Time // printed as seconds and nanoseconds of struct timespec
	Links    uint64
	Rdev     uint64            // as in st_rdev
	Target   string            // of a symbolic link
	Xattrs   map[string]string // full names
	SHA256   string            // of a regular file's contents, in hexadecimal
}

// WalkLines describes each name in a line of ASCII, sorted by path. Hard links
// name the smallest path of their group.
func WalkLines(list []Inode) []string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Inode) int { return strings.Compare(a.Path, b.Path) })
	first := map[uint64]string{}
	lines := make([]string, 0, len(list))
	for _, i := range list {
		if first[i.Ino] == "" {
			first[i.Ino] = i.Path
		}
		lines = append(lines, i.line(first[i.Ino]))
	}
	return lines
}

func (i *Inode) line(first string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+q %v %d:%d size %d mtime %d.%09d links %d rdev %d", i.Path, i.Mode, i.UID, i.GID,
		i.Size, i.Mtime.Unix(), i.Mtime.Nanosecond(), i.Links, i.Rdev)
	if first != i.Path {
		fmt.Fprintf(&b, " same as %+q", first)
	}
	if i.Target != "" {
		fmt.Fprintf(&b, " target %+q", i.Target)
	}
	if i.SHA256 != "" {
		b.WriteString(" sha256 " + i.SHA256)
	}
	for _, name := range slices.Sorted(maps.Keys(i.Xattrs)) {
		b.WriteString(" " + strconv.QuoteToASCII(name) + "=" + brief(i.Xattrs[name]))
	}
	return b.String()
}

// maxHex is how many bytes of an attribute's value a line shows: longer ones
// would fill the report.
const maxHex = 64

func brief(value string) string {
	if len(value) <= maxHex {
		return fmt.Sprintf("%x", value)
	}
	return fmt.Sprintf("(%d bytes, sha256 %x)", len(value), sha256.Sum256([]byte(value)))
}
