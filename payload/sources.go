package payload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/sys/unix"

	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/payload/config"
)

// Names of the firmware's variables. The first is slipway's own
// (docs/contracts.md), the second is set by the UKI stub: the partition that
// the payload was started from.
const (
	configVar   = "SlipwayConfig-6f9d5c1e-2f0b-4c53-9c0e-7f5d0f6c7a11"
	partUUIDVar = "LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
)

// maxConfigFile is more than config.ParseTOML takes, so that it can say so.
const maxConfigFile = 1 << 20

// espWait is how long the partition the payload was started from gets to
// appear.
const espWait = 5 * time.Second

// readConfig applies every source, weakest first. A source that is missing is
// skipped; one that is there and wrong is an error.
func (m *machine) readConfig() error {
	c := config.Defaults()
	for _, source := range []struct {
		name string
		read func() ([]byte, error)
	}{
		{"built in", func() ([]byte, error) { return fs.ReadFile(m.cfg.FS, layout.Config) }},
		{"ESP", m.espConfig},
		{"EFI variable SlipwayConfig", func() ([]byte, error) { return efiVar(configVar) }},
		{"credential slipway.toml", func() ([]byte, error) { return smbiosCredential(dmiEntries, "slipway.toml") }},
	} {
		src, err := source.read()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", source.name, err)
		}
		if err := c.ParseTOML(src, source.name); err != nil {
			return err
		}
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	if err := c.ParseCmdline(string(line), "command line"); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return err
	}
	m.conf, m.cfg.Conf = c, c
	return nil
}

// efiVar reads a variable without its four bytes of attributes
// (Documentation/filesystems/efivarfs.rst).
func efiVar(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(efivars, name))
	if err != nil {
		return nil, err
	}
	if len(data) < 4 {
		return nil, fmt.Errorf("expected 4 bytes of attributes, got %d bytes", len(data))
	}
	return data[4:], nil
}

// utf16String decodes a NUL-terminated string as EFI stores it.
func utf16String(data []byte) string {
	var units []uint16
	for ; len(data) >= 2; data = data[2:] {
		u := uint16(data[0]) | uint16(data[1])<<8
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// espConfig reads slipway.toml from the EFI system partition that the payload
// was started from, if it was. The partition is mounted read-only and only as
// long as that takes.
func (m *machine) espConfig() ([]byte, error) {
	raw, err := efiVar(partUUIDVar)
	if err != nil {
		return nil, fs.ErrNotExist // not started by a stub: there is no such partition
	}
	uuid := strings.ToLower(utf16String(raw))
	device, err := m.waitPartition(uuid)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"vfat", "nls_cp437", "nls_ascii", "nls_iso8859-1"} {
		_ = m.modules.load(name) // what is missing shows in the mount
	}
	const dir = "/run/esp"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := unix.Mount(device, dir, "vfat", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return nil, fmt.Errorf("mount(%s, vfat) = %w", device, err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	return readLimited(filepath.Join(dir, layout.ESPConfig))
}

func readLimited(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxConfigFile {
		return nil, fmt.Errorf("%s: expected at most %d bytes, got %d", name, maxConfigFile, info.Size())
	}
	return os.ReadFile(name)
}

// waitPartition finds the block device of a GPT partition.
func (m *machine) waitPartition(uuid string) (string, error) {
	deadline := time.Now().Add(espWait)
	for {
		if device, ok := findPartition("/sys/class/block", "/dev", uuid); ok {
			return device, nil
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("partition %s: expected it within %s, not found: its disk's driver may be missing from the payload", uuid, espWait)
		}
		m.modules.coldplug()
		time.Sleep(busSettle)
	}
}

// dmiEntries is where the kernel shows the firmware's SMBIOS tables.
const dmiEntries = "/sys/firmware/dmi/entries"

// smbiosCredential finds a systemd system credential among the OEM strings
// (SMBIOS type 11): "io.systemd.credential:NAME=VALUE".
func smbiosCredential(entries, name string) ([]byte, error) {
	tables, _ := filepath.Glob(filepath.Join(entries, "11-*", "raw"))
	for _, table := range tables {
		data, err := os.ReadFile(table)
		if err != nil || len(data) < 2 || len(data) < int(data[1]) {
			continue // a table that lies about its length says nothing
		}
		for _, s := range strings.Split(string(data[data[1]:]), "\x00") {
			if value, ok := strings.CutPrefix(s, "io.systemd.credential:"+name+"="); ok {
				return []byte(value), nil
			}
		}
	}
	return nil, fs.ErrNotExist
}
