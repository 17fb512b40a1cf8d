package oci

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

const (
	modulesDir    = "usr/lib/modules"
	ukiDir        = "boot/EFI/Linux"
	kernelName    = "vmlinuz"
	initramfsName = "initramfs.img"

	labelBootc  = "containers.bootc"
	labelOSTree = "ostree.bootable"
)

// bootFiles says what an image boots.
type bootFiles struct {
	release   string // of the kernel; for a UKI its name without .efi
	unified   bool   // a UKI: kernel holds everything
	kernel    string
	initramfs string
}

// checkLabels refuses images that do not claim to be bootable.
func checkLabels(labels map[string]string) error {
	for _, name := range []string{labelBootc, labelOSTree} {
		if _, ok := labels[name]; ok {
			return nil
		}
	}
	return fmt.Errorf("%w: labels: image does not have %s or %s label", ErrNotBootable, labelBootc, labelOSTree)
}

// findBootFiles looks where bootc does: a UKI in boot/EFI/Linux, else the one
// kernel with its initramfs in usr/lib/modules, else a UKI there.
func findBootFiles(root fs.FS) (bootFiles, error) {
	uki, err := firstUKI(root, ukiDir)
	if uki.unified || err != nil {
		return uki, err
	}
	releases, err := readDir(root, modulesDir)
	if err != nil {
		return bootFiles{}, err
	}
	var found []string
	for _, r := range releases {
		if _, err := fs.Stat(root, path.Join(modulesDir, r.Name(), kernelName)); err == nil {
			found = append(found, r.Name())
		}
	}
	switch len(found) {
	case 0:
		return ukiInModules(root, releases)
	case 1:
		return splitKernel(root, found[0])
	}
	return bootFiles{}, fmt.Errorf("%w: found multiple kernels in %s: expected one, got %s", ErrNotBootable, modulesDir, clip(strings.Join(found, ", ")))
}

// splitKernel checks the two files of a release.
func splitKernel(root fs.FS, release string) (bootFiles, error) {
	b := bootFiles{
		release:   release,
		kernel:    path.Join(modulesDir, release, kernelName),
		initramfs: path.Join(modulesDir, release, initramfsName),
	}
	for _, name := range []string{b.kernel, b.initramfs} {
		info, err := fs.Stat(root, name)
		if err != nil {
			return bootFiles{}, fmt.Errorf("%w: kernel %s: %w", ErrNotBootable, release, err)
		}
		if !info.Mode().IsRegular() || info.Size() == 0 {
			return bootFiles{}, fmt.Errorf("%w: kernel %s: %s: expected a regular file with contents, got %v of %d bytes", ErrNotBootable, release, name, info.Mode(), info.Size())
		}
	}
	return b, nil
}

// firstUKI returns the UKI in dir whose name sorts first, or nothing.
func firstUKI(root fs.FS, dir string) (bootFiles, error) {
	files, err := readDir(root, dir)
	for _, f := range files {
		if stem, ok := strings.CutSuffix(f.Name(), ".efi"); ok && stem != "" {
			return bootFiles{release: stem, unified: true, kernel: path.Join(dir, f.Name())}, nil
		}
	}
	return bootFiles{}, err
}

// ukiInModules returns the first UKI beside the modules, where no kernel is.
func ukiInModules(root fs.FS, releases []fs.DirEntry) (bootFiles, error) {
	for _, r := range releases {
		if !r.IsDir() {
			continue
		}
		if uki, err := firstUKI(root, path.Join(modulesDir, r.Name())); uki.unified || err != nil {
			return uki, err
		}
	}
	return bootFiles{}, fmt.Errorf("%w: no kernel: expected %s/<release>/%s", ErrNotBootable, modulesDir, kernelName)
}

// readDir lists a directory. What is missing is empty.
func readDir(root fs.FS, dir string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(root, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNotBootable, err)
	}
	return list, nil
}

// Fields of the x86 boot protocol's header.
const (
	bzImageMagicAt   = 0x202 // "HdrS"
	bzImageReleaseAt = 0x20e // offset of the release, less bzImageBase
	bzImageBase      = 0x200
	maxRelease       = 255
)

// checkRelease refuses an x86 kernel that is not the one its directory claims:
// its modules would not load. Other architectures' kernels say nothing about
// themselves in a fixed place.
func (t treeFS) checkRelease(boot bootFiles, arch string) error {
	if arch != "amd64" && arch != "386" {
		return nil
	}
	kernel, err := t.section(boot.kernel)
	if err != nil {
		return err
	}
	got, err := bzImageRelease(kernel)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotBootable, boot.kernel, err)
	}
	if got != boot.release {
		return fmt.Errorf("%w: %s: kernel release: expected %q as its directory, got %q in its header", ErrNotBootable, boot.kernel, boot.release, got)
	}
	return nil
}

// bzImageRelease reads the release from a kernel's header.
func bzImageRelease(kernel io.ReaderAt) (string, error) {
	var header [bzImageReleaseAt + 2]byte
	if _, err := kernel.ReadAt(header[:], 0); err != nil && err != io.EOF {
		return "", err
	}
	at := int64(binary.LittleEndian.Uint16(header[bzImageReleaseAt:]))
	if string(header[bzImageMagicAt:bzImageMagicAt+4]) != "HdrS" || at == 0 {
		return "", errors.New("expected a bzImage, got a file without its header")
	}
	text := make([]byte, maxRelease+1)
	n, err := kernel.ReadAt(text, bzImageBase+at)
	if err != nil && err != io.EOF {
		return "", err
	}
	release, _, _ := strings.Cut(string(text[:n]), "\x00")
	release, _, _ = strings.Cut(release, " ") // builder and date follow
	return release, nil
}
