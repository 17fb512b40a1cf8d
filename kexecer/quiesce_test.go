package kexecer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sysfs makes a class folder as the kernel lays it out: eth0 with a driver,
// bond0 without a device, lo.
func sysfs(t *testing.T) (class, unbind string) {
	t.Helper()
	top := t.TempDir()
	class = filepath.Join(top, "class/net")
	dev := filepath.Join(top, "devices/pci0000:00/0000:00:02.0")
	driver := filepath.Join(top, "bus/pci/drivers/e1000e")
	unbind = filepath.Join(driver, "unbind")
	for _, dir := range []string{filepath.Join(class, "eth0"), filepath.Join(class, "bond0"), filepath.Join(class, "lo"), dev, driver} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.Symlink(dev, filepath.Join(class, "eth0/device")),
		os.Symlink(driver, filepath.Join(dev, "driver")),
		os.WriteFile(unbind, nil, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return class, unbind
}

func TestQuiesce(t *testing.T) {
	class, unbind := sysfs(t)
	var downs []string
	err := quiesce(class, func(name string) error { downs = append(downs, name); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"bond0", "eth0"}; !slices.Equal(downs, want) {
		t.Errorf("links taken down: expected %q, got %q", want, downs)
	}
	if got, _ := os.ReadFile(unbind); string(got) != "0000:00:02.0" {
		t.Errorf("unbound: expected 0000:00:02.0, got %q", got)
	}
}

func TestQuiesceGoesOnAfterAnError(t *testing.T) {
	class, unbind := sysfs(t)
	err := quiesce(class, func(name string) error { return errors.New("busy") })
	if err == nil || !strings.Contains(err.Error(), "bond0") || !strings.Contains(err.Error(), "eth0") {
		t.Errorf("expected both links in the error, got %v", err)
	}
	if got, _ := os.ReadFile(unbind); len(got) == 0 {
		t.Error("eth0 was not unbound")
	}
}
