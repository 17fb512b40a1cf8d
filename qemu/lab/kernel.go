package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Metapackages whose only dependency is the kernel of the day.
const (
	hostKernelMeta  = "linux-image-amd64"
	imageKernelMeta = "linux-image-cloud-amd64"
)

// Kernel is a Debian kernel package unpacked into the cache, not installed.
// depmod never ran over it.
type Kernel struct {
	Package string // as in linux-image-6.12.1-amd64
	Version string // the package's
	Release string // as uname -r prints it
	Image   string // path of vmlinuz
	Tree    string // directory that holds boot/ and Modules
	Modules string // the release's modules relative to Tree: lib/modules/… or usr/lib/modules/…
}

// HostKernel unpacks Debian's standard kernel of the release the host runs.
func (l *Lab) HostKernel(ctx context.Context) (Kernel, error) {
	s, err := l.hostSuite(ctx)
	if err != nil {
		return Kernel{}, fmt.Errorf("host kernel: %w", err)
	}
	var k Kernel
	err = s.fresh(ctx, func() error {
		k, err = l.newestKernel(ctx, s, hostKernelMeta)
		return err
	})
	if err != nil {
		return Kernel{}, fmt.Errorf("host kernel: %w", err)
	}
	return k, nil
}

// ImageKernel unpacks the cloud kernel that the boot images carry, in its
// locked version.
func (l *Lab) ImageKernel(ctx context.Context) (Kernel, error) {
	dir, err := l.once(ctx, "image-kernel-"+lockHash(), func(dir string) error {
		d, err := l.fetchLocked(ctx, isImageKernel)
		if err != nil {
			return err
		}
		if len(d.files) != 1 {
			return fmt.Errorf("expected one kernel package, got %d", len(d.files))
		}
		if _, err := run(ctx, "dpkg-deb", "-x", d.files[0], dir); err != nil {
			return err
		}
		if err := noteUnlocked(dir, d.unlocked); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, packageFile), []byte(formatLock(d.packages)), 0o644)
	})
	if err != nil {
		return Kernel{}, fmt.Errorf("image kernel: %w", err)
	}
	if err := l.heedUnlocked(dir); err != nil {
		return Kernel{}, fmt.Errorf("image kernel: %w", err)
	}
	k, err := openKernel(dir)
	if err != nil {
		return Kernel{}, fmt.Errorf("image kernel: %w", err)
	}
	return k, nil
}

// isImageKernel picks the package that the cloud metapackage stands for.
func isImageKernel(p debPackage) bool {
	return p.Name != imageKernelMeta && strings.HasPrefix(p.Name, "linux-image-") && strings.HasSuffix(p.Name, "-cloud-amd64")
}

func (l *Lab) newestKernel(ctx context.Context, s *suite, meta string) (Kernel, error) {
	list, err := s.show(ctx, meta)
	if err != nil {
		return Kernel{}, err
	}
	list, err = s.show(ctx, firstDependency(list[0].depends))
	if err != nil {
		return Kernel{}, err
	}
	p := list[0]
	dir, err := l.once(ctx, p.Name+"_"+p.Version, func(dir string) error {
		l.say("downloading %s %s", p.Name, p.Version)
		files, err := s.download(ctx, dir, list)
		if err != nil {
			return err
		}
		if _, err := run(ctx, "dpkg-deb", "-x", files[0], dir); err != nil {
			return err
		}
		if err := os.Remove(files[0]); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, packageFile), []byte(formatLock(list)), 0o644)
	})
	if err != nil {
		return Kernel{}, err
	}
	return openKernel(dir)
}

// packageFile says, in the lock's format, which package a tree came from.
const packageFile = "package.lock"

// openKernel finds the parts of an unpacked kernel package.
func openKernel(tree string) (Kernel, error) {
	text, err := os.ReadFile(filepath.Join(tree, packageFile))
	if err != nil {
		return Kernel{}, err
	}
	list, err := parseLock(string(text))
	if err != nil || len(list) != 1 {
		return Kernel{}, fmt.Errorf("%s: expected one package, got %d: %w", packageFile, len(list), err)
	}
	p := list[0]
	images, err := filepath.Glob(filepath.Join(tree, "boot/vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return Kernel{}, fmt.Errorf("%s: expected one boot/vmlinuz-*, got %d", p.Name, len(images))
	}
	k := Kernel{Package: p.Name, Version: p.Version, Image: images[0], Tree: tree}
	k.Release = strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	for _, dir := range []string{"lib/modules", "usr/lib/modules"} {
		modules := filepath.Join(dir, k.Release)
		if _, err := os.Stat(filepath.Join(tree, modules)); err == nil {
			k.Modules = modules
			return k, nil
		}
	}
	return Kernel{}, fmt.Errorf("%s: no modules for %s", p.Name, k.Release)
}
