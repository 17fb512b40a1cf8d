package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/slipway-boot/slipway/payload/disk"
	"github.com/slipway-boot/slipway/payload/pack"
	"github.com/slipway-boot/slipway/payload/uki"
	"github.com/slipway-boot/slipway/qemu"
)

// The firmwares that run knows.
const (
	ovmf    = "ovmf"
	seabios = "seabios"
)

// machine is what run's flags say.
type machine struct {
	firmware, nic choice
	memory        size
}

// options describes the machine that boots the payload in file. What it needs
// beside the payload is written to dir.
func (m machine) options(file, dir string) (qemu.Options, error) {
	o := qemu.Options{
		Name: filepath.Base(file), Dir: dir, MemoryMiB: int(m.memory.mebibytes()),
		NICs: []qemu.NIC{{Model: qemu.NICModel(m.nic.value)}}, Reboot: true,
	}
	p, err := openPayload(file)
	if err != nil {
		return o, err
	}
	defer p.Close()
	if m.firmware.value == seabios {
		return o, p.parts(&o)
	}
	if o.Firmware, err = qemu.OVMF(); err != nil {
		return o, err
	}
	if p.format == pack.UKI {
		file, err = p.disk(dir)
	}
	o.Disks = []qemu.Disk{{Path: file, Snapshot: true}}
	return o, err
}

// payloadFile is a disk image or a UKI.
type payloadFile struct {
	*os.File
	format string
	uki    *io.SectionReader
}

func openPayload(name string) (*payloadFile, error) {
	info, err := pack.Inspect(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	p := &payloadFile{File: f, format: info.Format}
	switch info.Format {
	case pack.UKI:
		p.uki = io.NewSectionReader(f, 0, info.Size)
	case pack.Disk:
		var esp *disk.ESP
		if esp, err = disk.Open(f, info.Size); err == nil {
			p.uki, err = esp.Open(disk.BootPath)
		}
	default:
		err = hinted{fmt.Errorf("%s: expected a disk image or a UKI, got: %s", name, info.Format), "build one with slipway payload build"}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

// disk puts a UKI where firmware finds it: on the EFI system partition of a
// disk of its own.
func (p *payloadFile) disk(dir string) (string, error) {
	image, err := io.ReadAll(p.uki)
	if err != nil {
		return "", err
	}
	f, err := os.Create(filepath.Join(dir, "disk.img"))
	if err != nil {
		return "", err
	}
	err = disk.Write(f, disk.Options{Files: []disk.File{{Path: disk.BootPath, Data: image}}})
	return f.Name(), errors.Join(err, f.Close())
}

// parts has QEMU itself start what is in the UKI.
func (p *payloadFile) parts(o *qemu.Options) error {
	m, err := uki.Parse(p.uki, p.uki.Size())
	if err != nil {
		return err
	}
	o.Cmdline = m.Cmdline
	if o.Kernel, err = save(o.Dir, "kernel", m.Linux); err != nil || m.Initrd == nil {
		return err
	}
	o.Initrd, err = save(o.Dir, "initrd", m.Initrd)
	return err
}

func save(dir, name string, r io.Reader) (string, error) {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, r)
	return f.Name(), errors.Join(err, f.Close())
}
