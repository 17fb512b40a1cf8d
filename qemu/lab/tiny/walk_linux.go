package tiny

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// walkView is where walkRoot looks at the root.
const walkView = "/run/tiny-walk"

// walkRoot describes the root's own file system: a second mount of it, which
// what is mounted on /etc, /var and others does not cover.
func walkRoot() ([]string, error) {
	if err := os.Mkdir(walkView, 0o700); err != nil {
		return nil, fmt.Errorf("walk: %w", err)
	}
	if err := unix.Mount("/", walkView, "", unix.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("walk: mount(/, %s, MS_BIND): %w", walkView, err)
	}
	list, err := inodes(walkView)
	if err != nil {
		return nil, fmt.Errorf("walk: %w", err)
	}
	if err := unix.Unmount(walkView, 0); err != nil {
		return nil, fmt.Errorf("walk: umount(%s): %w", walkView, err)
	}
	return WalkLines(list), nil
}

// inodes looks at every name below dir, by listing and by looking it up.
func inodes(dir string) ([]Inode, error) {
	var list []Inode
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.Type() != info.Mode().Type() {
			return fmt.Errorf("%q: the directory says %v, the inode %v", name, d.Type(), info.Mode().Type())
		}
		i, err := inode(name, info)
		i.Path = filepath.Join("/", strings.TrimPrefix(name, dir))
		list = append(list, i)
		return err
	})
	return list, err
}

func inode(name string, info fs.FileInfo) (Inode, error) {
	st := info.Sys().(*syscall.Stat_t) // what os returns on Linux
	i := Inode{Ino: st.Ino, Mode: info.Mode(), UID: st.Uid, GID: st.Gid, Size: info.Size(), Mtime: info.ModTime(),
		Links: uint64(st.Nlink), Rdev: st.Rdev}
	var err error
	if i.Xattrs, err = xattrs(name); err != nil {
		return i, err
	}
	switch info.Mode().Type() {
	case 0:
		i.SHA256, err = sumFile(os.DirFS(filepath.Dir(name)), filepath.Base(name))
	case fs.ModeSymlink:
		i.Target, err = os.Readlink(name)
	}
	return i, err
}

func xattrs(name string) (map[string]string, error) {
	size, err := unix.Llistxattr(name, nil)
	if err != nil {
		return nil, fmt.Errorf("llistxattr(%q): %w", name, err)
	}
	if size == 0 {
		return nil, nil
	}
	list := make([]byte, size)
	if size, err = unix.Llistxattr(name, list); err != nil {
		return nil, fmt.Errorf("llistxattr(%q): %w", name, err)
	}
	all := map[string]string{}
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	for attr := range strings.SplitSeq(strings.TrimSuffix(string(list[:size]), "\x00"), "\x00") {
		n, err := unix.Lgetxattr(name, attr, value)
		if err != nil {
			return nil, fmt.Errorf("lgetxattr(%q, %s): %w", name, attr, err)
		}
		all[attr] = string(value[:n])
	}
	return all, nil
}
