package oci

import (
	"archive/tar"
	"fmt"
	"math"
	"strings"

	"github.com/slipway-boot/slipway/internal/erofs"
)

const (
	maxPath = 4096 // bytes of an entry's name or a link's target, as in Linux

	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh." // aufs' own files
	whiteoutOpaque = ".wh..wh..opq"

	xattrRecord = "SCHILY.xattr." // PAX records with extended attributes
)

// keptXattrs are the extended attributes that an image may bring. SELinux
// labels belong to the booted system's policy; user.* and trusted.* would be
// taken for overlayfs' or other programs' own.
var keptXattrs = []string{"security.capability", "system.posix_acl_access", "system.posix_acl_default"}

// entryTypes are the tar entries that become inodes. Old GNU sparse files and
// contiguous files read like regular ones.
var entryTypes = map[byte]uint16{
	tar.TypeReg: erofs.Regular, tar.TypeCont: erofs.Regular, tar.TypeGNUSparse: erofs.Regular,
	tar.TypeDir: erofs.Directory, tar.TypeSymlink: erofs.Symlink,
	tar.TypeChar: erofs.CharDevice, tar.TypeBlock: erofs.BlockDevice, tar.TypeFifo: erofs.FIFO,
}

// entry is one line of a layer: a name for a node, or for what link names.
type entry struct {
	path string // clean; "" is the root
	node *erofs.Node
	link string // clean path of a hard link's target, if node is nil
}

// whiteout is a name that a layer takes away from the layers below it, or a
// directory that it empties.
type whiteout struct {
	path   string
	opaque bool
}

// cleanPath returns name without leading, trailing, double slashes and dots.
// A name with ".." is refused whether or not it would leave the tree.
func cleanPath(name string) (string, error) {
	if len(name) > maxPath {
		return "", fmt.Errorf("%w: name %q: expected at most %d bytes, got %d", ErrLayer, clip(name), maxPath, len(name))
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "", part == ".":
			continue
		case part == "..":
			return "", fmt.Errorf("%w: name %q: leaves its directory", ErrLayer, clip(name))
		case len(part) > erofs.MaxName || strings.ContainsRune(part, 0):
			return "", fmt.Errorf("%w: name %q: expected at most %d bytes between slashes, and no NUL", ErrLayer, clip(name), erofs.MaxName)
		}
		parts = append(parts, part)
	}
	return strings.Clone(strings.Join(parts, "/")), nil // not a part of a large record
}

// splitPath returns the directory and the last name of a clean path.
func splitPath(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// whiteoutFor returns what a whiteout entry takes away, and whether path is
// one. An aufs file of another kind is one that takes nothing.
func whiteoutFor(path string) (w whiteout, is bool, err error) {
	dir, base := splitPath(path)
	if strings.HasPrefix(dir, whiteoutPrefix) || strings.Contains(dir, "/"+whiteoutPrefix) {
		return w, false, fmt.Errorf("%w: name %q: lies below a whiteout", ErrLayer, clip(path))
	}
	name, is := strings.CutPrefix(base, whiteoutPrefix)
	switch {
	case !is:
		return w, false, nil
	case base == whiteoutOpaque:
		return whiteout{path: dir, opaque: true}, true, nil
	case strings.HasPrefix(base, whiteoutMeta):
		return w, true, nil
	case name == "", name == ".", name == "..":
		return w, false, fmt.Errorf("%w: name %q: whiteout of nothing", ErrLayer, clip(path))
	}
	if dir != "" {
		name = dir + "/" + name
	}
	return whiteout{path: name}, true, nil
}

// newNode turns a tar header into an inode, without contents.
func newNode(h *tar.Header) (*erofs.Node, error) {
	kind, ok := entryTypes[h.Typeflag]
	if !ok {
		return nil, fmt.Errorf("%w: %q: unknown entry type %q", ErrLayer, clip(h.Name), h.Typeflag)
	}
	if h.Uid < 0 || h.Gid < 0 || int64(h.Uid) >= math.MaxUint32 || int64(h.Gid) >= math.MaxUint32 {
		return nil, fmt.Errorf("%w: %q: owner %d:%d out of range", ErrLayer, clip(h.Name), h.Uid, h.Gid)
	}
	n := &erofs.Node{
		Mode: kind | uint16(h.Mode&0o7777), UID: uint32(h.Uid), GID: uint32(h.Gid), Mtime: h.ModTime,
	}
	switch kind {
	case erofs.Symlink:
		if h.Linkname == "" || len(h.Linkname) > erofs.MaxTarget || strings.ContainsRune(h.Linkname, 0) {
			return nil, fmt.Errorf("%w: %q: link target of %d bytes: expected 1 to %d without NUL", ErrLayer, clip(h.Name), len(h.Linkname), erofs.MaxTarget)
		}
		n.Target = strings.Clone(h.Linkname)
	case erofs.CharDevice, erofs.BlockDevice:
		if h.Devmajor < 0 || h.Devmajor > erofs.MaxMajor || h.Devminor < 0 || h.Devminor > erofs.MaxMinor {
			return nil, fmt.Errorf("%w: %q: device %d:%d out of range", ErrLayer, clip(h.Name), h.Devmajor, h.Devminor)
		}
		n.Rdev = erofs.Device{Major: uint32(h.Devmajor), Minor: uint32(h.Devminor)}
	}
	return n, readXattrs(n, h)
}

// readXattrs takes over the extended attributes that may stay.
func readXattrs(n *erofs.Node, h *tar.Header) error {
	for _, name := range keptXattrs {
		value, ok := h.PAXRecords[xattrRecord+name]
		if !ok {
			continue
		}
		if len(value) > erofs.MaxXattrValue {
			return fmt.Errorf("%w: %q: attribute %s: expected at most %d bytes, got %d", ErrLayer, clip(h.Name), name, erofs.MaxXattrValue, len(value))
		}
		if n.Xattrs == nil {
			n.Xattrs = map[string]string{}
		}
		n.Xattrs[name] = strings.Clone(value)
	}
	return nil
}
