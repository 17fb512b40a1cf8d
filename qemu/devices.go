package qemu

import (
	"fmt"
	"net"
	"strconv"
)

// diskArgs attaches the disks. cache=unsafe skips the host's fsyncs: what the
// guest wrote survives its own end, though not the host's.
func diskArgs(o Options) ([]string, error) {
	if len(o.Disks) > maxDisks {
		return nil, fmt.Errorf("disks: %w: expected at most %d, got %d", ErrDisk, maxDisks, len(o.Disks))
	}
	listOrder := true
	for _, d := range o.Disks {
		listOrder = listOrder && d.BootIndex == 0
	}
	var args []string
	for i, d := range o.Disks {
		if err := d.check(); err != nil {
			return nil, fmt.Errorf("disk %d: %w", i, err)
		}
		// QEMU's own -kernel loader has boot index 0, so disks begin at 1.
		if listOrder {
			d.BootIndex = i + 1
		}
		args = append(args, "-drive", d.drive(i), "-device", d.device(i))
	}
	return args, nil
}

// check refuses what QEMU would refuse or misunderstand.
func (d Disk) check() error {
	iface := or(d.Interface, Virtio)
	switch {
	case d.Path == "":
		return fmt.Errorf("%w: no path", ErrDisk)
	case !oneOf(or(d.Format, Raw), Raw, QCOW2):
		return fmt.Errorf("%w: unknown format %q", ErrDisk, d.Format)
	case !oneOf(iface, Virtio, NVMe, AHCI):
		return fmt.Errorf("%w: unknown interface %q", ErrDisk, d.Interface)
	case d.BootIndex < 0:
		return fmt.Errorf("%w: negative boot index %d", ErrDisk, d.BootIndex)
	case d.ReadOnly && iface != Virtio:
		return fmt.Errorf("%w: %s cannot be read-only, use Snapshot", ErrDisk, iface)
	}
	return nil
}

// drive is the host's side of a disk.
func (d Disk) drive(i int) string {
	s := fmt.Sprintf("if=none,id=disk%d,format=%s,cache=unsafe,discard=unmap,file=%s", i, or(d.Format, Raw), comma(d.Path))
	if d.ReadOnly {
		s += ",readonly=on"
	}
	if d.Snapshot {
		s += ",snapshot=on"
	}
	return s
}

// device is the guest's side of a disk. Its serial number is diskN.
func (d Disk) device(i int) string {
	device := fmt.Sprintf("virtio-blk-pci,drive=disk%d,serial=disk%d", i, i)
	switch d.Interface {
	case NVMe:
		device = fmt.Sprintf("nvme,drive=disk%d,serial=disk%d", i, i)
	case AHCI:
		device = fmt.Sprintf("ide-hd,bus=ide.%d,drive=disk%d,serial=disk%d", i, i, i)
	}
	if d.BootIndex > 0 {
		device += ",bootindex=" + strconv.Itoa(d.BootIndex)
	}
	return device
}

// nicArgs plugs in the network cards.
func nicArgs(o Options) ([]string, error) {
	if len(o.NICs) > maxNICs {
		return nil, fmt.Errorf("nics: %w: expected at most %d, got %d", ErrNIC, maxNICs, len(o.NICs))
	}
	var args []string
	for i, n := range o.NICs {
		if err := n.check(); err != nil {
			return nil, fmt.Errorf("nic %d: %w", i, err)
		}
		device := fmt.Sprintf("%s,netdev=net%d,romfile=", or(n.Model, VirtioNet), i)
		if n.MAC != "" {
			device += ",mac=" + n.MAC
		}
		args = append(args, "-netdev", n.netdev(i), "-device", device)
	}
	return args, nil
}

// check refuses what QEMU would refuse or misunderstand.
func (n NIC) check() error {
	backend := or(n.Backend, User)
	if !oneOf(or(n.Model, VirtioNet), VirtioNet, E1000E) {
		return fmt.Errorf("%w: unknown model %q", ErrNIC, n.Model)
	}
	if !oneOf(backend, User, Unconnected) {
		return fmt.Errorf("%w: unknown backend %q", ErrNIC, n.Backend)
	}
	if backend != User && (n.Restrict || len(n.Forward) > 0) {
		return fmt.Errorf("%w: %s has nothing to restrict or forward", ErrNIC, backend)
	}
	if n.MAC != "" {
		if mac, err := net.ParseMAC(n.MAC); err != nil || len(mac) != 6 || mac[0]&1 != 0 {
			return fmt.Errorf("%w: expected a unicast MAC address, got %q", ErrNIC, n.MAC)
		}
	}
	for _, f := range n.Forward {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

// netdev is the host's side of a network card.
func (n NIC) netdev(i int) string {
	if n.Backend == Unconnected {
		return fmt.Sprintf("hubport,id=net%d,hubid=%d", i, i)
	}
	s := fmt.Sprintf("user,id=net%d", i)
	if n.Restrict {
		s += ",restrict=on"
	}
	for _, f := range n.Forward {
		s += fmt.Sprintf(",hostfwd=%s:127.0.0.1:%d-:%d", or(f.Proto, "tcp"), f.HostPort, f.GuestPort)
	}
	return s
}

// check refuses ports that are none.
func (f Forward) check() error {
	if !oneOf(or(f.Proto, "tcp"), "tcp", "udp") {
		return fmt.Errorf("%w: expected tcp or udp, got %q", ErrForward, f.Proto)
	}
	for _, port := range []int{f.HostPort, f.GuestPort} {
		if port < 1 || port > 65535 {
			return fmt.Errorf("%w: expected ports 1 to 65535, got %d", ErrForward, port)
		}
	}
	return nil
}

// FreePort returns a port of 127.0.0.1 that nobody uses right now, for a
// Forward. The network is "tcp" or "udp".
func FreePort(network string) (int, error) {
	const loopback = "127.0.0.1:0"
	switch network {
	case "tcp":
		l, err := net.Listen("tcp4", loopback)
		if err != nil {
			return 0, fmt.Errorf("free port: %w", err)
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port, nil
	case "udp":
		c, err := net.ListenPacket("udp4", loopback)
		if err != nil {
			return 0, fmt.Errorf("free port: %w", err)
		}
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).Port, nil
	}
	return 0, fmt.Errorf("free port: %w: expected tcp or udp, got %q", ErrForward, network)
}
