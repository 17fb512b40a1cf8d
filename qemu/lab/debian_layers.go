package lab

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The Debian image's layers, lowest first.
const (
	layerBase   = iota // what every Debian has
	layerSystem        // systemd and what the initramfs is made with
	layerKernel        // kernel, modules, initramfs
	layerConfig        // files made while installing, and the image's own
	layerClean         // whiteouts
	layerCount
)

// systemPackages are the packages of layerSystem.
func systemPackages() []string {
	return []string{"dbus", "dracut", "init-system-helpers", "libnss-", "libpam-systemd", "libsystemd", "libudev1",
		"linux-base", "systemd", "udev"}
}

// leftOut are paths, and all below them, that no image should have: they
// belong to the machine it was built on, or to the running system.
func leftOut() []string {
	return []string{"dev/", "etc/apt/apt.conf.d/99mmdebstrap", "etc/apt/sources.list", "etc/hostname",
		"etc/resolv.conf", "run/", "tmp/", "var/lib/apt/lists/", "var/log/apt", "vmlinuz", "vmlinuz.old"}
}

// debianLayer places a path of the Debian root.
func debianLayer(name, owner string) int {
	for _, p := range leftOut() {
		if name == p || strings.HasSuffix(p, "/") && strings.HasPrefix(name, p) {
			return -1
		}
	}
	if strings.HasPrefix(name, "usr/lib/modules/") {
		return layerKernel
	}
	if owner == "" {
		return layerConfig
	}
	for _, p := range systemPackages() {
		if strings.HasPrefix(owner, p) {
			return layerSystem
		}
	}
	return layerBase
}

const demoIssue = `Debian GNU/Linux 13 demo image \n \l
Log in as root; there is no password.

`

// updated marks /etc and /var as up to date with /usr, so that systemd does
// not rebuild caches on every boot of a root that forgets them.
const updated = "# This file was created when the image was built.\n"

// configFiles are the image's own files.
func configFiles() []struct{ name, text string } {
	return []struct{ name, text string }{
		{"etc/.updated", updated},
		{"var/.updated", updated},
		{"etc/hostname", "debian\n"},
		{"etc/issue", demoIssue},
		{"usr/lib/bootc/kargs.d/10-console.toml", "kargs = [\"console=tty0\", \"console=ttyS0,115200\"]\n"},
		{"usr/lib/bootc/kargs.d/20-x86-64.toml", "kargs = [\"random.trust_cpu=on\"]\nmatch-architectures = [\"x86_64\"]\n"},
		{"usr/lib/bootc/kargs.d/30-aarch64.toml", "kargs = [\"console=ttyAMA0\"]\nmatch-architectures = [\"aarch64\"]\n"},
	}
}

// debianTars splits work/root.tar into the layers' tars and returns their
// paths, lowest layer first.
func debianTars(work string) ([]string, error) {
	root, err := os.Open(filepath.Join(work, rootTar))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	index, err := indexRoot(root)
	if err != nil {
		return nil, err
	}
	if _, err := root.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	paths := make([]string, layerCount)
	files := make([]*os.File, layerCount)
	layers := make([]*layerWriter, layerCount)
	for i := range layers {
		paths[i] = filepath.Join(work, fmt.Sprintf("layer-%d.tar", i))
		if files[i], err = os.Create(paths[i]); err != nil {
			return nil, err
		}
		defer files[i].Close()
		layers[i] = newLayerWriter(files[i])
	}
	if err := splitRoot(root, index, layers, debianLayer); err != nil {
		return nil, err
	}
	addConfig(layers[layerConfig])
	cleanUp(layers[layerClean])
	for i, l := range layers {
		if err := l.close(); err != nil {
			return nil, err
		}
		if err := files[i].Close(); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// addConfig adds the image's own files, /etc/issue over the base's.
func addConfig(l *layerWriter) {
	l.dir("sysroot", 0o755)
	for _, f := range configFiles() {
		l.file(f.name, 0o644, []byte(f.text))
	}
}

// cleanUp removes what installing left behind, as a RUN rm of a Containerfile
// would: files, a directory, and all of a directory's content.
func cleanUp(l *layerWriter) {
	for _, name := range []string{"etc/group-", "etc/gshadow-", "etc/passwd-", "etc/shadow-", "usr/share/info",
		"var/cache/debconf/config.dat-old", "var/cache/debconf/templates.dat-old",
		"var/lib/dpkg/diversions-old", "var/lib/dpkg/status-old"} {
		l.whiteout(name)
	}
	l.opaque("var/cache/apt")
}
