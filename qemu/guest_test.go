//go:build vm

package qemu_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/internal/cpio"
	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/qemu"
	"github.com/slipway-boot/slipway/qemu/lab"
)

// guestModules are the drivers of all devices that Options knows.
var guestModules = []string{
	"virtio_pci", "virtio_rng", "virtio_blk", "nvme", "ahci", "sd_mod", "virtio_net", "e1000e",
}

// guestFiles is a Debian kernel and an initramfs with testdata/guestinit.
type guestFiles struct{ kernel, initrd string }

// sharedGuest builds the guest once for all tests; TestMain removes it.
var sharedGuest struct {
	sync.Once
	dir   string
	files guestFiles
	err   error
}

func TestMain(m *testing.M) {
	if keepVM() {
		return
	}
	code := m.Run()
	os.RemoveAll(sharedGuest.dir)
	os.Exit(code)
}

// guest returns options for a guest that does the given things.
func guest(t *testing.T, words string) qemu.Options {
	t.Helper()
	sharedGuest.Do(func() { sharedGuest.files, sharedGuest.err = buildGuest(t) })
	if sharedGuest.err != nil {
		t.Fatal(sharedGuest.err)
	}
	return qemu.Options{
		Name: "guest", Kernel: sharedGuest.files.kernel, Initrd: sharedGuest.files.initrd,
		Cmdline: "console=ttyS0 quiet " + qemu.NoTimerCheck + " " + words,
	}
}

// buildGuest makes the kernel and the initramfs.
func buildGuest(t *testing.T) (guestFiles, error) {
	dir, err := os.MkdirTemp("", "slipway-guest-")
	if err != nil {
		return guestFiles{}, err
	}
	sharedGuest.dir = dir
	l := &lab.Lab{Cache: cacheDir(t), Progress: func(line string) { t.Log(line) }}
	kernel, err := l.HostKernel(t.Context())
	if err != nil {
		return guestFiles{}, err
	}
	index, err := kmod.Scan(os.DirFS(kernel.Tree), kernel.Modules, guestModules...)
	if err != nil {
		return guestFiles{}, err
	}
	var archive bytes.Buffer
	w := cpio.NewWriter(&archive, time.Time{})
	if err := addModules(w, index); err != nil {
		return guestFiles{}, err
	}
	if err := addInit(w, dir); err != nil {
		return guestFiles{}, err
	}
	if err := w.Close(); err != nil {
		return guestFiles{}, err
	}
	initrd := filepath.Join(dir, "initramfs.cpio")
	return guestFiles{kernel.Image, initrd}, os.WriteFile(initrd, archive.Bytes(), 0o600)
}

// addModules adds the drivers under names that sort in load order.
func addModules(w *cpio.Writer, index *kmod.Index) error {
	paths, err := index.Closure(guestModules...)
	if err != nil {
		return err
	}
	for i, path := range paths {
		image, err := index.Read(path)
		if err != nil {
			return err
		}
		if err := w.File("modules/"+strconv.Itoa(100+i)+".ko", 0o644, image); err != nil {
			return err
		}
	}
	return nil
}

// addInit compiles testdata/guestinit and adds it as /init.
func addInit(w *cpio.Writer, dir string) error {
	binary := filepath.Join(dir, "init")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./testdata/guestinit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	image, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	return w.File("init", 0o755, image)
}

// cacheDir is where downloads are kept.
func cacheDir(t *testing.T) string {
	if dir := os.Getenv("SLIPWAY_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "slipway")
}
