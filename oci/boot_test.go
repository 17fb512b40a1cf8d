package oci

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// TestBootFiles is section 8's table of facts about kernels.
func TestBootFiles(t *testing.T) {
	const m = modulesDir
	for _, test := range []struct {
		name string
		root fstest.MapFS
		want bootFiles
	}{
		{"fact 9: one kernel", files(m+"/6.12.0-100.fc41.x86_64/vmlinuz", "k", m+"/6.12.0-100.fc41.x86_64/initramfs.img", "i"),
			bootFiles{"6.12.0-100.fc41.x86_64", false, m + "/6.12.0-100.fc41.x86_64/vmlinuz", m + "/6.12.0-100.fc41.x86_64/initramfs.img"}},
		{"fact 10: UKI", files("boot/EFI/Linux/fedora-6.12.0.efi", "u"), bootFiles{"fedora-6.12.0", true, "boot/EFI/Linux/fedora-6.12.0.efi", ""}},
		{"fact 11: UKI wins", files("boot/EFI/Linux/u.efi", "u", m+"/6.12/vmlinuz", "k", m+"/6.12/initramfs.img", "i"),
			bootFiles{"u", true, "boot/EFI/Linux/u.efi", ""}},
		{"fact 12: first UKI", files(ukiDir+"/zzz.efi", "", ukiDir+"/aaa.efi", "", ukiDir+"/mmm.efi", "", ukiDir+"/.efi", "", ukiDir+"/aa.txt", ""),
			bootFiles{"aaa", true, ukiDir + "/aaa.efi", ""}},
		{"fact 46: directory without kernel", files(m+"/aaa/modules.dep", "", m+"/6.1/vmlinuz", "k", m+"/6.1/initramfs.img", "i", m+"/file", ""),
			bootFiles{"6.1", false, m + "/6.1/vmlinuz", m + "/6.1/initramfs.img"}},
		{"kernel beside a UKI for guests", files(m+"/6.1/vmlinuz", "k", m+"/6.1/initramfs.img", "i", m+"/6.1/vmlinuz-virt.efi", "u"),
			bootFiles{"6.1", false, m + "/6.1/vmlinuz", m + "/6.1/initramfs.img"}},
		{"UKI beside the modules", files(m+"/6.1/6.1.efi", "u", m+"/file", ""), bootFiles{"6.1", true, m + "/6.1/6.1.efi", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := findBootFiles(test.root)
			if err != nil || got != test.want {
				t.Errorf("expected %+v, got %+v, %v", test.want, got, err)
			}
		})
	}
}

func TestBootFilesRefuses(t *testing.T) {
	const m = modulesDir
	for _, test := range []struct {
		name string
		root fstest.MapFS
		want string
	}{
		{"fact 8: empty tree", files(), "no kernel"},
		{"fact 8: no releases", fstest.MapFS{m: {Mode: 0o755 | 1<<31}}, "no kernel"},
		{"fact 14: no initramfs", files(m+"/6.1/vmlinuz", "k"), "kernel 6.1:"},
		{"two kernels", files(m+"/6.1/vmlinuz", "k", m+"/6.2/vmlinuz", "k"), "6.1, 6.2"},
		{"empty kernel", files(m+"/6.1/vmlinuz", "", m+"/6.1/initramfs.img", "i"), "vmlinuz: expected a regular file with contents"},
		{"empty initramfs", files(m+"/6.1/vmlinuz", "k", m+"/6.1/initramfs.img", ""), "initramfs.img: expected a regular file with contents"},
		{"kernel is a directory", files(m+"/6.1/vmlinuz/x", "k", m+"/6.1/initramfs.img", "i"), "expected a regular file"},
		{"releases are a file", files(m, "x"), m},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := findBootFiles(test.root)
			if !errors.Is(err, ErrNotBootable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("expected ErrNotBootable with %q, got %v", test.want, err)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	for name, labels := range map[string]map[string]string{
		"bootc": {"containers.bootc": "1"}, "any value": {"containers.bootc": ""}, "ostree": {"ostree.bootable": "true", "x": "y"},
	} {
		if err := checkLabels(labels); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := checkLabels(map[string]string{"bootc": "1"})
	if !errors.Is(err, ErrNotBootable) || !strings.Contains(err.Error(), "does not have containers.bootc or ostree.bootable label") {
		t.Errorf("fact 15: got %v", err)
	}
}

// bzImage is the start of a kernel that calls itself version.
func bzImage(version string) string {
	b := make([]byte, 0x4000)
	copy(b[bzImageMagicAt:], "HdrS")
	binary.LittleEndian.PutUint16(b[bzImageReleaseAt:], 0x3000)
	copy(b[bzImageBase+0x3000:], version+"\x00")
	return string(b)
}

func TestRelease(t *testing.T) {
	for version, want := range map[string]string{
		"6.12.107+deb13-amd64 (debian-kernel@lists.debian.org) #1 SMP": "6.12.107+deb13-amd64",
		"6.1":                    "6.1",
		"":                       "",
		strings.Repeat("v", 300): strings.Repeat("v", 256),
	} {
		if got, err := bzImageRelease(strings.NewReader(bzImage(version))); err != nil || got != want {
			t.Errorf("%.20q: expected %q, got %q, %v", version, want, got, err)
		}
	}
	cut := bzImage("6.1")[:bzImageBase+0x3002]
	if got, err := bzImageRelease(strings.NewReader(cut)); err != nil || got != "6." {
		t.Errorf("cut: got %q, %v", got, err)
	}
	for name, kernel := range map[string]string{"empty": "", "text": strings.Repeat("x", 4096), "no release": strings.Repeat("\x00", 0x202) + "HdrS" + strings.Repeat("\x00", 4096)} {
		if got, err := bzImageRelease(bytes.NewReader([]byte(kernel))); err == nil {
			t.Errorf("%s: expected an error, got %q", name, got)
		}
	}
}

// TestPrepareRoot checks what becomes of the merged tree before it boots.
func TestPrepareRoot(t *testing.T) {
	link := func(name, target string) item { return hardlink(name, target) }
	root, err := merge(t, []item{
		directory("./").with(func(h *tar.Header) { h.Mode, h.Uid = 0o700, 5 }),
		directory("usr").with(func(h *tar.Header) { h.Mode, h.Gid = 0o755, 3 }),
		regular("sysroot/ostree/repo/objects/aa/bb.file", "shared").xattrs("security.capability", "cap"),
		link("usr/shared", "sysroot/ostree/repo/objects/aa/bb.file"),
		regular("boot/vmlinuz-old", "x"), regular("run/blah", "x"), regular("sys/foo", "x"), device("dev/somedev", tar.TypeChar, 1, 3), regular("proc/x", "x"),
		directory("dev").with(func(h *tar.Header) { h.Mode = 0o750 }), symlink("tmp", "sysroot/tmp"), regular("var/lib/data", "kept"),
		regular("etc/hostname", ""), regular("etc/resolv.conf", "nameserver ::1\n"), device("usr/console", tar.TypeChar, 5, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := prepareRoot(root.tree); err != nil {
		t.Fatal(err)
	}
	want := "boot/ dev/ etc/ etc/resolv.conf=nameserver ::1\n proc/ run/ sys/ sysroot/ tmp/ usr/ usr/console! usr/shared=shared var/ var/lib/ var/lib/data=kept"
	if got := listing(t, root); got != want {
		t.Errorf("facts 30 and 33: expected %s\n     got %s", want, got)
	}
	top, usr := root.tree.root, root.at(t, "usr")
	if top.Mode != usr.Mode || top.UID != usr.UID || top.GID != 3 || !top.Mtime.Equal(usr.Mtime) {
		t.Errorf("fact 35: root metadata: expected that of usr, got %+v", top)
	}
	for path, mode := range map[string]uint16{"dev": 0o40750, "proc": 0o40755, "tmp": 0o41777, "sysroot": 0o40755} {
		if got := root.at(t, path).Mode; got != mode {
			t.Errorf("%s: expected mode %o, got %o", path, mode, got)
		}
	}
	if got := root.at(t, "usr/shared").Xattrs["security.capability"]; got != "cap" {
		t.Errorf("capability of a hard link: got %q", got)
	}
}

func TestPrepareRootRefuses(t *testing.T) {
	for name, items := range map[string][]item{
		"no usr":         {regular("etc/x", "")},
		"usr is a file":  {regular("usr", "")},
		"usr is a link":  {symlink("usr", "x")},
		"var is a link":  {directory("usr"), symlink("var", "x")},
		"run is a file":  {directory("usr"), regular("run", "")},
		"sysroot a file": {directory("usr"), regular("sysroot", "x")},
	} {
		root, err := merge(t, items)
		if err != nil {
			t.Fatal(err)
		}
		if err := prepareRoot(root.tree); !errors.Is(err, ErrNotBootable) {
			t.Errorf("%s: expected ErrNotBootable, got %v", name, err)
		}
	}
}
