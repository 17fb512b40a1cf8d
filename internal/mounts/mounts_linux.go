// Package mounts mounts from a table. Both lives of /init start with one.
package mounts

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Mount is one row: what mount(2) wants, and whether the machine can do
// without.
type Mount struct {
	Source, Target, Type string
	Flags                uintptr
	Data                 string
	Optional             bool // its absence is no error (efivarfs on a BIOS machine)
}

const noExec = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// API is what every program of a Linux system expects.
var API = []Mount{
	{"proc", "/proc", "proc", noExec, "", false},
	{"sysfs", "/sys", "sysfs", noExec, "", false},
	{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755", false},
	{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755", false},
}

// All mounts the rows in order. A target that is already mounted with the
// same type is left alone.
func All(rows []Mount) error {
	for _, m := range rows {
		if err := m.mount(); err != nil && !m.Optional {
			return err
		}
	}
	return nil
}

func (m Mount) mount() error {
	if err := os.MkdirAll(m.Target, 0o755); err != nil {
		return fmt.Errorf("mount %s: %w", m.Target, err)
	}
	if mounted(m.Target) {
		return nil
	}
	err := unix.Mount(m.Source, m.Target, m.Type, m.Flags, m.Data)
	if err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount(%q, %q, %q, %#x, %q) = %w", m.Source, m.Target, m.Type, m.Flags, m.Data, err)
	}
	return nil
}

// mounted reports whether target is a mount point: another device than its
// parent's.
func mounted(target string) bool {
	var here, above unix.Stat_t
	if unix.Lstat(target, &here) != nil || unix.Lstat(target+"/..", &above) != nil {
		return false
	}
	return here.Dev != above.Dev
}
