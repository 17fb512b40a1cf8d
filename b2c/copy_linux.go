package b2c

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// copyTree copies everything below from into the existing directory to: files,
// links, devices, owners, modes, times and extended attributes. Both are
// directories that only this program touches.
func copyTree(from, to string) error {
	var dirs []func() error // their times, once nothing is added to them any more
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if err := copyNode(name, target, info); err != nil {
			return err
		}
		if info.IsDir() {
			dirs = append(dirs, func() error { return copyTimes(name, target) })
		}
		return copyMeta(name, target, info)
	})
	if err != nil {
		return err
	}
	for _, set := range dirs {
		if err := set(); err != nil {
			return err
		}
	}
	return nil
}

func copyNode(name, target string, info fs.FileInfo) error {
	switch info.Mode().Type() {
	case fs.ModeDir:
		if err := os.Mkdir(target, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case fs.ModeSymlink:
		link, err := os.Readlink(name)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	case 0:
		return copyFile(name, target, 0o600)
	default:
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return fmt.Errorf("lstat(%s) = %w", name, err)
		}
		if err := unix.Mknod(target, st.Mode, int(st.Rdev)); err != nil {
			return fmt.Errorf("mknod(%s) = %w", target, err)
		}
		return nil
	}
}

// copyFile copies contents into a new file; parents are made.
func copyFile(from, to string, perm fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// copyMeta gives target the owner, mode, times and attributes of name. The
// owner comes first: changing it clears set-user-id bits and capabilities.
func copyMeta(name, target string, info fs.FileInfo) error {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return fmt.Errorf("lstat(%s) = %w", name, err)
	}
	if err := unix.Lchown(target, int(st.Uid), int(st.Gid)); err != nil {
		return fmt.Errorf("lchown(%s) = %w", target, err)
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		if err := unix.Chmod(target, st.Mode&0o7777); err != nil {
			return fmt.Errorf("chmod(%s) = %w", target, err)
		}
	}
	if err := copyXattrs(name, target); err != nil {
		return err
	}
	return copyTimes(name, target)
}

// copyTimes gives target the modification time of name.
func copyTimes(name, target string) error {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return fmt.Errorf("lstat(%s) = %w", name, err)
	}
	times := []unix.Timespec{st.Mtim, st.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, target, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("utimensat(%s) = %w", target, err)
	}
	return nil
}

// copyXattrs copies the extended attributes that the target's file system
// takes.
func copyXattrs(name, target string) error {
	list := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := unix.Llistxattr(name, list)
	if errors.Is(err, unix.ENOTSUP) || n == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("llistxattr(%s) = %w", name, err)
	}
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	for _, attr := range strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		size, err := unix.Lgetxattr(name, attr, value)
		if err != nil {
			return fmt.Errorf("lgetxattr(%s, %s) = %w", name, attr, err)
		}
		if err := unix.Lsetxattr(target, attr, value[:size], 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("lsetxattr(%s, %s) = %w", target, attr, err)
		}
	}
	return nil
}
