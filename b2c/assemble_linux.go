package b2c

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/layout"
)

// state is where what may change below /etc is kept, in memory.
const state = "/run/slipway"

// HandedOver reports whether this is the second life: the loader's files are
// there.
func HandedOver() bool {
	_, err := os.Stat("/" + layout.HandoffOptions)
	return err == nil
}

// Assemble mounts the image's root at dir: the file system image read-only,
// /etc as a writable overlay of it, /var as a file system of its own with the
// image's /var copied into it. The report goes to layout.ReportPath.
func Assemble(dir string, log func(format string, args ...any)) error {
	h, err := readHandoff("/" + layout.HandoffOptions)
	if err != nil {
		return err
	}
	if got := kmod.Release(); got != h.Release {
		return fmt.Errorf("kernel: expected %q, got %q: kernel and root are not from the same image", h.Release, got)
	}
	// A module may fail without harm: one that speeds up checksums finds no
	// such processor (a soft dependency). Whether something is missing shows
	// in the mounts, whose errors then carry these.
	modules := insertAll(h.Modules)
	if h.RootSHA256 != "" {
		if err := checkRoot("/"+layout.HandoffRoot, h.RootSHA256); err != nil {
			return err
		}
		log("runtime: root has the same hash as before the jump")
	}
	if err := mountRoot("/"+layout.HandoffRoot, dir); err != nil {
		return errors.Join(err, modules)
	}
	if err := writableEtc(dir); err != nil {
		return errors.Join(err, modules)
	}
	if err := realVar(dir); err != nil {
		return err
	}
	if err := copyFile("/"+layout.HandoffReport, layout.ReportPath, 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	log("runtime: root mounted at %s, /etc writable, /var in memory", dir)
	return nil
}

func readHandoff(name string) (layout.Handoff, error) {
	var h layout.Handoff
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return h, fmt.Errorf("%w: expected %s", errNoHandoff, name)
	}
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return h, fmt.Errorf("%s: %w", name, err)
	}
	if h.Schema != layout.HandoffSchema {
		return h, fmt.Errorf("%s: schema: expected %d, got %d", name, layout.HandoffSchema, h.Schema)
	}
	return h, nil
}

// insertAll inserts modules in order and goes on after one that fails.
func insertAll(names []string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, insert(filepath.Join("/"+layout.HandoffModules, filepath.Base(name))))
	}
	return errors.Join(errs...)
}

func insert(file string) error {
	image, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("modules: %w", err)
	}
	if err := kmod.Insert(image, ""); err != nil {
		return fmt.Errorf("modules: %s: %w", filepath.Base(file), err)
	}
	return nil
}

// checkRoot compares the root with what the loader had.
func checkRoot(file, want string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("root: sha256: expected %s, got %s: memory changed across the jump", want, got)
	}
	return nil
}

// mountRoot mounts the EROFS image through a read-only loop device that goes
// away with the mount.
func mountRoot(image, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	device, err := attachLoop(image)
	if err != nil {
		return err
	}
	defer device.Close()
	if err := unix.Mount(device.Name(), dir, "erofs", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount(%s, %s, erofs) = %w", device.Name(), dir, err)
	}
	return nil
}

// attachLoop binds a free loop device to file.
func attachLoop(file string) (*os.File, error) {
	backing, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer backing.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("loop: %w", err)
	}
	defer control.Close()
	n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return nil, fmt.Errorf("ioctl(LOOP_CTL_GET_FREE) = %w", err)
	}
	device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("loop: %w", err)
	}
	config := unix.LoopConfig{
		Fd:   uint32(backing.Fd()),
		Size: 4096, // logical block size, as the image's
		Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR},
	}
	copy(config.Info.File_name[:], file)
	if err := unix.IoctlLoopConfigure(int(device.Fd()), &config); err != nil {
		device.Close()
		return nil, fmt.Errorf("ioctl(%s, LOOP_CONFIGURE) = %w", device.Name(), err)
	}
	return device, nil
}

// writableEtc lays a writable overlay in memory over the root's /etc.
func writableEtc(root string) error {
	etc := filepath.Join(root, "etc")
	upper, work := filepath.Join(state, "etc/upper"), filepath.Join(state, "etc/work")
	info, err := os.Lstat(etc)
	if err != nil {
		return fmt.Errorf("/etc: %w", err)
	}
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("/etc: %w", err)
		}
	}
	if err := copyMeta(etc, upper, info); err != nil {
		return fmt.Errorf("/etc: %w", err)
	}
	options := strings.Join([]string{"lowerdir=" + etc, "upperdir=" + upper, "workdir=" + work, "index=off", "metacopy=off"}, ",")
	if err := unix.Mount("overlay", etc, "overlay", 0, options); err != nil {
		return fmt.Errorf("mount(%s, overlay, %q) = %w", etc, options, err)
	}
	return nil
}

// realVar puts a tmpfs at the root's /var and copies the image's into it: an
// overlay there would keep containers from using overlays of their own.
func realVar(root string) error {
	target := filepath.Join(root, "var")
	const staging = state + "/var"
	if err := os.MkdirAll(staging, 0o755); err != nil {
		return fmt.Errorf("/var: %w", err)
	}
	if err := unix.Mount("tmpfs", staging, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, "mode=0755"); err != nil {
		return fmt.Errorf("mount(%s, tmpfs) = %w", staging, err)
	}
	if err := copyTree(target, staging); err != nil {
		return fmt.Errorf("/var: %w", err)
	}
	// Not MS_MOVE: an initramfs run by systemd shares its mounts, and shared
	// ones cannot be moved.
	if err := unix.Mount(staging, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount(%s, %s, MS_BIND) = %w", staging, target, err)
	}
	if err := unix.Unmount(staging, 0); err != nil {
		return fmt.Errorf("umount(%s) = %w", staging, err)
	}
	return os.Remove(staging)
}
