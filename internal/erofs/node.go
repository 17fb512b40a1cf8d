package erofs

import (
	"fmt"
	"strings"
	"time"
)

// File types in the upper bits of Node.Mode, as in stat(2).
const (
	TypeMask    = 0o170000
	FIFO        = 0o010000
	CharDevice  = 0o020000
	Directory   = 0o040000
	BlockDevice = 0o060000
	Regular     = 0o100000
	Symlink     = 0o120000
	Socket      = 0o140000
)

// Ceilings of the format and of Linux.
const (
	MaxName       = 255   // bytes in one path component or attribute name
	MaxTarget     = 4095  // bytes in a symbolic link
	MaxXattrValue = 65535 // bytes in the value of one extended attribute
	MaxMajor      = 1<<12 - 1
	MaxMinor      = 1<<20 - 1
)

// Device is the number of a character or block device.
type Device struct{ Major, Minor uint32 }

// encode is the kernel's new_encode_dev.
func (d Device) encode() uint32 {
	return d.Minor&0xff | d.Major<<8 | d.Minor&^0xff<<12
}

// Node is one inode. A node that is reached by several names is a hard link:
// it is stored once, with the right link count. Directories are reached once.
type Node struct {
	Mode     uint16 // type and permission bits, as st_mode
	UID, GID uint32
	Mtime    time.Time
	Xattrs   map[string]string // full names, such as "security.capability"

	Data     Data             // regular files
	Target   string           // symbolic links
	Rdev     Device           // character and block devices
	Children map[string]*Node // directories, without "." and ".."
}

// Type returns the type bits of the node's mode.
func (n *Node) Type() uint16 { return n.Mode & TypeMask }

// IsDir says whether the node is a directory.
func (n *Node) IsDir() bool { return n.Type() == Directory }

// direntTypes are the type numbers in directory entries, by mode>>12.
var direntTypes = [16]uint8{
	Regular >> 12: 1, Directory >> 12: 2, CharDevice >> 12: 3, BlockDevice >> 12: 4,
	FIFO >> 12: 5, Socket >> 12: 6, Symlink >> 12: 7,
}

// check refuses what the format or Linux cannot represent, children aside.
func (n *Node) check() error {
	if direntTypes[n.Type()>>12] == 0 {
		return fmt.Errorf("%w: unknown type in mode %#o", ErrNode, n.Mode)
	}
	if n.Rdev.Major > MaxMajor || n.Rdev.Minor > MaxMinor {
		return fmt.Errorf("%w: device %d:%d: expected at most %d:%d", ErrNode, n.Rdev.Major, n.Rdev.Minor, MaxMajor, MaxMinor)
	}
	if n.Type() == Symlink {
		if n.Target == "" || len(n.Target) > MaxTarget || strings.ContainsRune(n.Target, 0) {
			return fmt.Errorf("%w: link target of %d bytes: expected 1 to %d without NUL", ErrNode, len(n.Target), MaxTarget)
		}
	}
	return nil
}

// checkName refuses names that no directory may contain.
func checkName(name string) error {
	switch {
	case name == "", name == ".", name == "..", strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("%w: name %q", ErrNode, name)
	case len(name) > MaxName:
		return fmt.Errorf("%w: name %.32q...: expected at most %d bytes, got %d", ErrNode, name, MaxName, len(name))
	}
	return nil
}
