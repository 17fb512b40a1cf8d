//go:build firmware

package qemu_test

import (
	"bytes"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-boot/slipway/qemu"
)

// TestOVMF boots an empty disk: the firmware must try it, must not try the
// network, and must end in its shell.
func TestOVMF(t *testing.T) {
	firmware, err := qemu.OVMF()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	disk := filepath.Join(dir, "empty")
	if err := os.WriteFile(disk, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	o := qemu.Options{
		Name: "ovmf", Dir: filepath.Join(dir, "vm"), Firmware: firmware, Display: true,
		Disks: []qemu.Disk{{Path: disk, Interface: qemu.NVMe}},
		NICs:  []qemu.NIC{{}, {Model: qemu.E1000E}},
	}
	vm := qemu.StartT(t, o)
	vm.ExpectT(t, boot, `^BdsDxe: failed to load Boot\d+ "UEFI QEMU NVMe Ctrl disk0`)
	vm.ExpectT(t, boot, `^UEFI Interactive Shell`)
	if bytes.Contains([]byte(vm.Console()), []byte("PXE")) {
		t.Error("the firmware tried the network")
	}
	checkScreen(t, vm, filepath.Join(dir, "screen.png"))
	vm.ExpectT(t, boot, `^Press ESC`)
	if err := vm.Send("\x1b"); err != nil {
		t.Fatal(err)
	}
	vm.ExpectT(t, boot, `^Shell> `)
	if err := vm.Send("reset -s\r"); err != nil {
		t.Fatal(err)
	}
	vm.WaitT(t, soon, qemu.Shutdown)
	checkVars(t, firmware.Vars, filepath.Join(vm.Dir(), qemu.VarsFile))
}

// checkScreen takes a picture of the display, in both formats.
func checkScreen(t *testing.T, vm *qemu.VM, path string) {
	t.Helper()
	if err := vm.Screendump(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if picture, err := png.DecodeConfig(f); err != nil || picture.Width < 640 {
		t.Errorf("screendump: got %+v, %v", picture, err)
	}
	if err := vm.Screendump(t.Context(), path+".ppm"); err != nil {
		t.Error(err)
	}
}

// checkVars checks that the machine wrote to its own variables and not to the
// template.
func checkVars(t *testing.T, template, vars string) {
	t.Helper()
	before, err1 := os.ReadFile(template)
	after, err2 := os.ReadFile(vars)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if len(before) != len(after) || bytes.Equal(before, after) {
		t.Errorf("expected changed variables of %d bytes, got %d bytes", len(before), len(after))
	}
}
