package lab

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-boot/slipway/internal/cpio"
	"github.com/slipway-boot/slipway/qemu/lab/tiny"
)

// TinyOptions changes the tiny image. The zero value is a good image; most
// fields spoil it in one way that a loader must refuse.
type TinyOptions struct {
	Kargs []string          // of kargs.d; nil: console=ttyS0,115200
	Files map[string]string // more files, path without leading slash to content

	Arch          string // architecture in the config; "": amd64
	NoLabel       bool   // leave out the label containers.bootc
	NoKernel      bool   // no vmlinuz and initramfs.img
	TwoKernels    bool   // a second directory with a kernel
	CorruptKernel bool   // vmlinuz is a text file
}

const guestPackage = "github.com/slipway-boot/slipway/qemu/lab/guest"

const tinyOSRelease = `ID=tiny
NAME="Tiny test system"
PRETTY_NAME="Tiny test system"
`

// TinyImage builds a bootc-shaped image of some 20 MB: Debian's cloud kernel,
// the modules that mounting a root needs, and the static program described in
// package tiny as init. It needs the Go toolchain and this module's source.
func (l *Lab) TinyImage(ctx context.Context, o TinyOptions) (v1.Image, error) {
	img, err := l.tinyImage(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("tiny image: %w", err)
	}
	return img, nil
}

func (l *Lab) tinyImage(ctx context.Context, o TinyOptions) (v1.Image, error) {
	k, err := l.ImageKernel(ctx)
	if err != nil {
		return nil, err
	}
	modules, err := l.tinyModules(ctx, k)
	if err != nil {
		return nil, err
	}
	guest, err := l.Guest(ctx)
	if err != nil {
		return nil, err
	}
	base := tinyBase(guest)
	kernel, err := tinyKernel(k, modules, o)
	if err != nil {
		return nil, err
	}
	conf := tinyConfig(o)
	sums := maps.Clone(base.sums)
	maps.Copy(sums, kernel.sums)
	maps.Copy(sums, conf.sums)
	delete(sums, tinyRemoved)
	conf.file(strings.TrimPrefix(tiny.SumsFile, "/"), 0o644, formatSums(sums))

	var layers []v1.Layer
	for _, m := range []*memLayer{base, kernel, conf} {
		layer, err := m.layer()
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	arch := o.Arch
	if arch == "" {
		arch = "amd64"
	}
	labels := map[string]string{"containers.bootc": "1"}
	if o.NoLabel {
		labels = nil
	}
	return ociImage(arch, labels, layers...)
}

// Guest builds the program that is the tiny image's init, for the lab's own
// tests, which boot it as an initramfs.
func (l *Lab) Guest(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp(l.Cache, ".guest-")
	if err != nil {
		return nil, fmt.Errorf("guest: %w", err)
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "guest")
	_, err = cmd{args: []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, guestPackage},
		env: []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"}}.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("guest: %w", err)
	}
	return os.ReadFile(out)
}

// tinyRemoved is in the first layer and whited out by the last.
const tinyRemoved = "usr/share/tiny/removed"

// tinyBase is the first layer: directories, links and init.
func tinyBase(guest []byte) *memLayer {
	m := newMemLayer()
	for _, d := range []string{"usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "boot", "dev", "etc", "proc",
		"run", "sys", "sysroot", "var", "var/lib", "var/log"} {
		m.dir(d, 0o755)
	}
	m.dir("root", 0o700)
	m.dir("tmp", 0o1777)
	m.dir("var/tmp", 0o1777)
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		m.symlink(name, "usr/"+name)
	}
	m.symlink("var/run", "../run")
	m.symlink("etc/os-release", "../usr/lib/os-release")
	m.file("usr/lib/os-release", 0o644, []byte(tinyOSRelease))
	m.file("usr/sbin/init", 0o755, guest)
	m.file("etc/machine-id", 0o444, []byte("uninitialized\n"))
	m.file("etc/issue", 0o644, []byte("to be replaced by a later layer\n"))
	m.file(tinyRemoved, 0o644, []byte("to be removed by a later layer\n"))
	m.file("var/lib/seed", 0o644, []byte("from the image\n"))

	capability, _ := hex.DecodeString(tiny.CapXattr) // a constant of package tiny
	name := strings.TrimPrefix(tiny.CapFile, "/")
	m.fileXattr(name, 0o755, []byte("#!/bin/false\n"), map[string]string{capXattr: string(capability)})
	m.hardlink(strings.TrimPrefix(tiny.CapFileLink, "/"), name)
	return m
}

// tinyKernel is the second layer: vmlinuz, initramfs.img and modules, where
// bootc has them.
func tinyKernel(k Kernel, modules string, o TinyOptions) (*memLayer, error) {
	m := newMemLayer()
	dir := "usr/lib/modules/" + k.Release
	if err := m.tree(os.DirFS(modules), dir); err != nil {
		return nil, err
	}
	if o.NoKernel {
		return m, nil
	}
	image, err := os.ReadFile(k.Image)
	if err != nil {
		return nil, err
	}
	if o.CorruptKernel {
		image = []byte(strings.Repeat("this is no kernel\n", 1000))
	}
	var initramfs bytes.Buffer
	w := cpio.NewWriter(&initramfs, imageTime())
	if err := w.File("etc/initrd-release", 0o644, []byte(tinyOSRelease)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	dirs := []string{dir}
	if o.TwoKernels {
		dirs = append(dirs, dir+"-second")
	}
	for _, d := range dirs {
		m.file(d+"/vmlinuz", 0o644, image)
		m.file(d+"/initramfs.img", 0o600, initramfs.Bytes())
	}
	return m, nil
}

// tinyConfig is the last layer: what a derived image would change.
func tinyConfig(o TinyOptions) *memLayer {
	m := newMemLayer()
	kargs := o.Kargs
	if kargs == nil {
		kargs = []string{"console=ttyS0,115200"}
	}
	quoted := make([]string, len(kargs))
	for i, k := range kargs {
		quoted[i] = fmt.Sprintf("%q", k)
	}
	m.file("usr/lib/bootc/kargs.d/10-tiny.toml", 0o644, []byte("kargs = ["+strings.Join(quoted, ", ")+"]\n"))
	m.file("etc/issue", 0o644, []byte("Tiny test system\n"))
	m.whiteout(tinyRemoved)
	for _, name := range slices.Sorted(maps.Keys(o.Files)) {
		m.file(name, 0o644, []byte(o.Files[name]))
	}
	return m
}

func formatSums(sums map[string]string) []byte {
	var b bytes.Buffer
	for _, path := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "%s  %s\n", sums[path], path)
	}
	return b.Bytes()
}
