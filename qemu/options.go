package qemu

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Addresses that QEMU's user network gives to every guest.
const (
	HostAddress  = "10.0.2.2"  // the host's loopback, as the guest sees it
	DNSAddress   = "10.0.2.3"  // forwards to the host's resolver
	GuestAddress = "10.0.2.15" // the first lease of the built-in DHCP server
)

// NoTimerCheck is a word for the command lines of kernels that run under TCG.
// At power-on Linux counts timer interrupts for a few milliseconds; on a busy
// host too few of them arrive in time, and it panics ("IO-APIC + timer
// doesn't work"). With this word it does not count.
const NoTimerCheck = "no_timer_check"

// Defaults and ceilings of Options.
const (
	DefaultMemoryMiB = 1024
	DefaultCPUs      = 2

	minMemoryMiB = 16
	maxMemoryMiB = 1 << 20
	maxCPUs      = 64
	maxDisks     = 6 // the number of SATA ports of q35
	maxNICs      = 8
	maxText      = 32 << 10 // one value on QEMU's command line; longer ones come from a file
)

// Options describes a virtual machine. The zero value is a PC without disk
// and network that stops in its firmware.
type Options struct {
	Name string // shown in logs and process lists; empty means "vm"
	Dir  string // artifact directory, created if missing; empty means a new temporary one

	Binary    string // QEMU's program; empty means qemu-system-x86_64 from $PATH
	KVM       bool   // use /dev/kvm; false means TCG, which works everywhere
	CPU       string // CPU model; empty means qemu64 without cmpxchg16b, or host with KVM
	CPUs      int    // zero means DefaultCPUs
	MemoryMiB int    // zero means DefaultMemoryMiB

	Firmware Firmware // zero means SeaBIOS
	Kernel   string   // bzImage booted directly; empty means what firmware finds on the disks
	Initrd   string
	Cmdline  string // exactly what the kernel gets: nothing is added, not even console=

	Disks []Disk
	NICs  []NIC // empty means no network card at all

	RTC    time.Time   // what the hardware clock says at power-on; zero means now
	SMBIOS []OEMString // SMBIOS type 11, where systemd and slipway look for credentials
	FWCfg  []FWCfg     // firmware configuration items

	Display  bool      // a VGA adapter, so that Screendump has something to show
	Reboot   bool      // let the guest reboot; false means a reboot ends the machine
	Terminal *Terminal // a person at the console; nil means Send and Expect only

	// OnLine is called with each complete console line, in order, from one
	// goroutine. It may be nil and should return soon.
	OnLine func(Line)
}

// Firmware says what the machine runs at power-on. The zero value is QEMU's
// own SeaBIOS.
type Firmware struct {
	Code string // UEFI code volume (read-only flash); needs Vars
	Vars string // template of the UEFI variable store; each Dir gets its own copy
	ROM  string // complete ROM such as a coreboot.rom (-bios); excludes Code
}

// OVMF returns the UEFI firmware of Debian's package ovmf.
func OVMF() (Firmware, error) {
	fw := Firmware{Code: "/usr/share/OVMF/OVMF_CODE_4M.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.fd"}
	for _, path := range []string{fw.Code, fw.Vars} {
		if _, err := os.Stat(path); err != nil {
			return Firmware{}, fmt.Errorf("%w: %w", ErrNoOVMF, err)
		}
	}
	return fw, nil
}

// Disk is a drive backed by a file.
type Disk struct {
	Path      string
	Format    DiskFormat    // empty means raw
	Interface DiskInterface // empty means virtio
	// BootIndex orders the drives the firmware tries, lowest first. When no
	// disk has one, the disks are tried in the order of the list.
	BootIndex int
	ReadOnly  bool // virtio only: SATA and NVMe drives have no such state
	Snapshot  bool // writes go to a temporary file that nobody sees again
}

// DiskFormat is the format of a disk's file.
type DiskFormat string

// The disk formats.
const (
	Raw   DiskFormat = "raw"
	QCOW2 DiskFormat = "qcow2"
)

// DiskInterface is how the guest sees a disk.
type DiskInterface string

// The disk interfaces.
const (
	Virtio DiskInterface = "virtio"
	NVMe   DiskInterface = "nvme"
	AHCI   DiskInterface = "ahci"
)

// NIC is a network card. It has no boot ROM, so firmware never boots from it.
type NIC struct {
	Model   NICModel   // empty means virtio-net-pci
	Backend NICBackend // empty means User
	MAC     string     // empty means QEMU's choice, 52:54:00:12:34:56 and up
	// Restrict cuts a User backend off from the host and the world; leases
	// and port forwards still work.
	Restrict bool
	Forward  []Forward // User only: ports of the host's loopback that lead into the guest
}

// NICModel is a kind of network card.
type NICModel string

// The network cards.
const (
	VirtioNet NICModel = "virtio-net-pci"
	E1000E    NICModel = "e1000e"
)

// NICBackend is what a network card is plugged into.
type NICBackend string

// The network backends.
const (
	// User is QEMU's user network: DHCP, DNS and NAT, the host at HostAddress.
	User NICBackend = "user"
	// Unconnected is a hub nobody else is plugged into: the link is up and
	// no request is ever answered.
	Unconnected NICBackend = "unconnected"
)

// Forward leads a port of the host's 127.0.0.1 to a port of the guest.
type Forward struct {
	Proto     string // "tcp" or "udp"; empty means tcp
	HostPort  int    // see FreePort
	GuestPort int
}

// OEMString is one SMBIOS type 11 string. All together hold less than 64 KiB;
// what is longer goes into FWCfg.
type OEMString struct {
	Value string // at most 32 KiB
	Path  string // file holding the string, for long ones; excludes Value
}

// FWCfg is one firmware configuration item.
type FWCfg struct {
	Name  string // must begin with "opt/"
	Value string
	Path  string // file holding the value; excludes Value
}

// Terminal connects a person to the console. Ctrl-A x ends the machine,
// Ctrl-A h lists QEMU's other keys; everything else reaches the guest.
type Terminal struct {
	In  *os.File  // given to QEMU, which puts a terminal into raw mode and back
	Out io.Writer // gets the console's bytes as they come
}

// tcgCPU is the fastest model under TCG. Without cmpxchg16b: QEMU 7.2 now and
// then leaves its operand in EFLAGS, and kernels from 6.2 on, whose allocator
// uses it all the time, die of a double fault.
const tcgCPU = "qemu64,-cx16"

// withDefaults replaces zero values by what they mean.
func (o Options) withDefaults() Options {
	o.Name = or(o.Name, "vm")
	o.Binary = or(o.Binary, "qemu-system-x86_64")
	o.CPUs = or(o.CPUs, DefaultCPUs)
	o.MemoryMiB = or(o.MemoryMiB, DefaultMemoryMiB)
	if o.KVM {
		o.CPU = or(o.CPU, "host")
	}
	o.CPU = or(o.CPU, tcgCPU)
	return o
}

// or returns the first value unless it is the zero value.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
