package b2c

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/slipway-boot/slipway/internal/mounts"
)

// sysroot is where the root is assembled before it becomes /.
const sysroot = "/sysroot"

// inits are the programs that may be the image's init, in the order in which
// the kernel and systemd's own initramfs look for it.
var inits = []string{"/sbin/init", "/etc/init", "/bin/init", "/usr/lib/systemd/systemd"}

// Live turns the machine into the boot image: it assembles the root, makes it
// / and becomes the image's init. It returns only if that fails.
func Live(log func(format string, args ...any)) error {
	if err := mounts.All(mounts.API); err != nil {
		return err
	}
	if err := Assemble(sysroot, log); err != nil {
		return err
	}
	init, err := findInit(sysroot)
	if err != nil {
		return err
	}
	log("runtime: switching to the image's %s", init)
	if err := switchRoot(sysroot); err != nil {
		return err
	}
	if err := unix.Exec(init, []string{init}, []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=linux"}); err != nil {
		return fmt.Errorf("execve(%s) = %w", init, err)
	}
	return nil
}

// findInit returns the first init the root has. Links are followed inside it.
func findInit(root string) (string, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return "", err
	}
	defer r.Close()
	for _, name := range inits {
		if info, err := statIn(r, name[1:]); err == nil && info.Mode()&0o111 != 0 && info.Mode().IsRegular() {
			return name, nil
		}
	}
	return "", fmt.Errorf("init: expected one of %q in the image, found none", inits)
}

// maxLinks is how many symbolic links one lookup may follow, as in the kernel.
const maxLinks = 40

// statIn follows links as they will resolve once root is /: os.Root refuses
// absolute ones.
func statIn(r *os.Root, name string) (fs.FileInfo, error) {
	for range maxLinks {
		dir, base := filepath.Split(name)
		info, err := r.Lstat(name)
		if err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return info, nil
		}
		target, err := r.Readlink(name)
		if err != nil {
			return nil, err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join("/", dir, target)
		}
		name = filepath.Clean(target)[1:]
		if name == "" {
			return nil, fmt.Errorf("%s: is a link to /", base)
		}
	}
	return nil, unix.ELOOP
}

// moved are the mounts that live on in the new root.
var moved = []string{"dev", "proc", "sys", "run"}

// switchRoot makes root the machine's /. What is left of the initramfs is
// removed to give its memory back; the root's own file stays alive through
// the loop device.
func switchRoot(root string) error {
	for _, dir := range moved {
		if err := unix.Mount("/"+dir, filepath.Join(root, dir), "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("mount(/%s, %s, MS_MOVE) = %w", dir, filepath.Join(root, dir), err)
		}
	}
	old, err := os.OpenRoot("/")
	if err != nil {
		return err
	}
	defer old.Close()
	if err := os.Chdir(root); err != nil {
		return err
	}
	emptyInitramfs(old, root[1:])
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("mount(%s, /, MS_MOVE) = %w", root, err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot(%s) = %w", root, err)
	}
	return os.Chdir("/")
}

// emptyInitramfs deletes everything of the initramfs except keep, which the
// new root is mounted on, and the empty directories other mounts came from.
func emptyInitramfs(old *os.Root, keep string) {
	entries, err := fs.ReadDir(old.FS(), ".")
	if err != nil {
		return // nothing is lost but memory
	}
	for _, e := range entries {
		if e.Name() != keep {
			_ = old.RemoveAll(e.Name())
		}
	}
}

// errNoHandoff says that this initramfs was not made by the loader.
var errNoHandoff = errors.New("no hand-over from a loader")
