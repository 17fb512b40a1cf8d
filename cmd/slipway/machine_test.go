package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/payload/disk"
	"github.com/slipway-boot/slipway/payload/image/imagetest"
	"github.com/slipway-boot/slipway/payload/pack"
	"github.com/slipway-boot/slipway/payload/uki"
	"github.com/slipway-boot/slipway/payload/uki/ukitest"
	"github.com/slipway-boot/slipway/qemu"
)

func machineWith(firmware string) machine {
	return machine{firmware: choice{value: firmware}, nic: choice{value: "e1000e"}, memory: 900 << 20}
}

// TestRunUKI: a UKI boots from a disk that holds it where firmware looks.
func TestRunUKI(t *testing.T) {
	file, dir := built(t, imagetest.New(t)), t.TempDir()
	o, err := machineWith(ovmf).options(file, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Disks) != 1 || filepath.Dir(o.Disks[0].Path) != dir || !o.Disks[0].Snapshot || o.Kernel != "" || o.Firmware == (qemu.Firmware{}) {
		t.Fatalf("got %+v", o)
	}
	if o.MemoryMiB != 900 || len(o.NICs) != 1 || o.NICs[0].Model != qemu.E1000E || !o.Reboot || o.Name != "payload" {
		t.Errorf("got %+v", o)
	}
	f, err := os.Open(o.Disks[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	esp, err := disk.Open(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	program, err := esp.Open(disk.BootPath)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(program); err != nil || string(got) != read(t, file) {
		t.Errorf("%s: expected the UKI, got %d bytes, %v", disk.BootPath, len(got), err)
	}
	if _, err := o.Args(); err != nil {
		t.Error(err)
	}
}

// TestRunDisk: a disk image is booted as it is, and stays as it is.
func TestRunDisk(t *testing.T) {
	file, dir := built(t, imagetest.New(t), "--format", pack.Disk), t.TempDir()
	o, err := machineWith(ovmf).options(file, dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.Disks, []qemu.Disk{{Path: file, Snapshot: true}}) {
		t.Errorf("got %+v", o.Disks)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("expected nothing to be made, got %v, %v", entries, err)
	}
}

// TestRunWithoutFirmware: QEMU gets what is in the payload, of both formats.
func TestRunWithoutFirmware(t *testing.T) {
	parts := imagetest.New(t)
	for _, format := range pack.Formats() {
		file := built(t, parts, "--format", format, "--cmdline", "console=ttyS0 panic=1")
		o, err := machineWith(seabios).options(file, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if o.Firmware != (qemu.Firmware{}) || len(o.Disks) != 0 || o.Cmdline != "console=ttyS0 panic=1" {
			t.Errorf("%s: got %+v", format, o)
		}
		if !bytes.Equal([]byte(read(t, o.Kernel)), ukitest.Kernel(imagetest.Release)) {
			t.Errorf("%s: the kernel is another", format)
		}
		if out := good(t, "payload", "inspect", o.Initrd); !strings.HasPrefix(out, "format    initramfs, ") || !strings.Contains(out, "\npayload   slipway ") {
			t.Errorf("%s: initramfs: got %s", format, out)
		}
		if _, err := o.Args(); err != nil {
			t.Error(err)
		}
	}
}

// TestRunWithoutInitrd: a UKI may be a kernel alone.
func TestRunWithoutInitrd(t *testing.T) {
	image, err := uki.Assemble(uki.Spec{Stub: ukitest.Stub(ukitest.Layout{Spare: 8}), Linux: ukitest.Kernel("6.9.9"), Cmdline: "quiet"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := machineWith(seabios).options(write(t, filepath.Join(t.TempDir(), "uki"), string(image)), t.TempDir())
	if err != nil || o.Initrd != "" || o.Kernel == "" {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestRunRefuses(t *testing.T) {
	kernel := write(t, filepath.Join(t.TempDir(), "vmlinuz"), string(ukitest.Kernel("6.9.9")))
	bad(t, exitFailed, "vmlinuz: expected a disk image or a UKI, got: kernel", "build one with slipway payload build", "run", kernel)
	bad(t, exitFailed, "gone: no such file", "", "run", filepath.Join(t.TempDir(), "gone"))
	file := built(t, imagetest.New(t))
	bad(t, exitFailed, "memory size out of range: expected 16 to", "", "run", file, "--memory", "512", "--firmware", seabios)
	t.Setenv("PATH", t.TempDir())
	bad(t, exitFailed, "install the package qemu-system-x86", "", "run", file, "--firmware", seabios)
	if _, err := machineWith(ovmf).options(file, filepath.Join(t.TempDir(), "gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nowhere to put the disk: got %v", err)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]size{
		"1": 1, "900M": 900 << 20, "2G": 2 << 30, "2g": 2 << 30, "2GiB": 2 << 30, "2GB": 2 << 30, "16K": 16 << 10, "1T": 1 << 40, "512B": 512, "1024T": 1 << 50,
	} {
		var s size
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%q: expected %d, got %d, %v", text, want, s, err)
		}
		var again size
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%q: %s does not mean the same: %d, %v", text, &s, again, err)
		}
	}
	for _, text := range []string{"", "0", "G", "-1G", "+1G", "1.5G", "1 G", "2GG", "2GM", "2Gi B", "2BG", "2Q", "0x10", "1025T", "99999999999999999999"} {
		var s size
		if err := s.Set(text); err == nil {
			t.Errorf("%q: got %d", text, s)
		}
	}
}
