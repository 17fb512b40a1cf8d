package erofs

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// xattrPrefixes are the name spaces the format numbers. The two ACLs are
// complete names: nothing follows them.
var xattrPrefixes = []struct {
	prefix string
	index  uint8
	whole  bool
}{
	{"user.", 1, false},
	{"system.posix_acl_access", 2, true},
	{"system.posix_acl_default", 3, true},
	{"trusted.", 4, false},
	{"security.", 6, false},
}

const (
	xattrHeader  = 12 // name filter (unused), number of shared attributes (0), reserved
	xattrEntry   = 4  // name length, name index, value length
	maxXattrArea = xattrHeader + 4*(1<<16-2)
)

// xattrSize returns the room that n's attributes take behind its inode.
func xattrSize(n *Node) (int64, error) {
	if len(n.Xattrs) == 0 {
		return 0, nil
	}
	size := int64(xattrHeader)
	for name, value := range n.Xattrs {
		_, suffix, err := splitXattr(name)
		if err != nil {
			return 0, err
		}
		if len(value) > MaxXattrValue {
			return 0, fmt.Errorf("%w: attribute %q: expected at most %d bytes, got %d", ErrNode, name, MaxXattrValue, len(value))
		}
		size += roundUp(int64(xattrEntry+len(suffix)+len(value)), 4)
	}
	if size > maxXattrArea {
		return 0, fmt.Errorf("%w: attributes: expected at most %d bytes, got %d", ErrNode, maxXattrArea, size)
	}
	return size, nil
}

// splitXattr finds the number of a name's prefix and what follows it.
func splitXattr(name string) (index uint8, suffix string, err error) {
	for _, p := range xattrPrefixes {
		suffix, ok := strings.CutPrefix(name, p.prefix)
		if !ok || p.whole != (suffix == "") {
			continue
		}
		if len(name) > MaxName || strings.ContainsRune(suffix, 0) {
			break
		}
		return p.index, suffix, nil
	}
	return 0, "", fmt.Errorf("%w: attribute name %.64q", ErrNode, name)
}

// appendXattrs appends n's attribute area, sorted by name.
func appendXattrs(b []byte, n *Node) []byte {
	if len(n.Xattrs) == 0 {
		return b
	}
	b = append(b, make([]byte, xattrHeader)...)
	for _, name := range slices.Sorted(maps.Keys(n.Xattrs)) {
		index, suffix, _ := splitXattr(name) // checked by xattrSize
		value := n.Xattrs[name]
		b = append(b, uint8(len(suffix)), index)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		b = append(append(b, suffix...), value...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	return b
}
