//go:build vm

package qemu_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/qemu"
)

func TestGuestTalks(t *testing.T) {
	o := guest(t, "do=facts do=oem do=report do=flood do=echo do=poweroff")
	long := filepath.Join(t.TempDir(), "long")
	text := strings.Repeat("0123456789", 4000)
	if err := os.WriteFile(long, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o.CPUs, o.MemoryMiB = 3, 512
	o.RTC = time.Date(2045, 6, 7, 8, 9, 10, 0, time.UTC)
	o.SMBIOS = []qemu.OEMString{{Value: "a,b=c"}, {Path: long}}
	vm := qemu.StartT(t, o)
	vm.ExpectT(t, boot, `^guest: hello$`)
	vm.ExpectT(t, soon, `^guest: cpus 3$`)
	vm.ExpectT(t, soon, `^guest: time 2045-06-07T08:`)
	if m := vm.ExpectT(t, soon, `MemTotal: +(\d+) kB`); len(m.Groups[1]) != 6 {
		t.Errorf("expected somewhat less than 512 MiB, got %s kB", m.Groups[1])
	}
	vm.ExpectT(t, soon, fmt.Sprintf(`^guest: oem 5 bytes %x$`, sha256.Sum256([]byte("a,b=c"))))
	vm.ExpectT(t, soon, fmt.Sprintf(`^guest: oem 40000 bytes %x$`, sha256.Sum256([]byte(text))))
	vm.ExpectT(t, soon, `^guest: flood 4999$`)
	vm.ExpectT(t, soon, `^guest: say> $`)
	if err := vm.Send("good morning\n"); err != nil {
		t.Fatal(err)
	}
	vm.ExpectT(t, soon, `^guest: heard "good morning\\n"$`)
	exit := vm.WaitT(t, soon, qemu.Shutdown)
	if exit.Code != 0 || exit.PeakRSS < 64<<20 || exit.PeakRSS > 1<<30 || exit.Elapsed > boot {
		t.Errorf("implausible: %v", exit)
	}
	if report, err := vm.Report(); err != nil || strings.TrimSpace(string(report)) != `{"report":"from the guest"}` {
		t.Errorf("report: got %q, %v", report, err)
	}
	if n := strings.Count(vm.Console(), "\nguest: flood "); n != 5000 {
		t.Errorf("expected all of 5000 lines, got %d", n)
	}
}

func TestReasonReset(t *testing.T) {
	vm := qemu.StartT(t, guest(t, "do=reboot"))
	vm.WaitT(t, boot, qemu.Reset)
}

func TestReboot(t *testing.T) {
	o := guest(t, "do=reboot")
	o.Reboot = true
	vm := qemu.StartT(t, o)
	vm.ExpectT(t, boot, `^guest: hello$`)
	vm.ExpectT(t, boot, `^guest: hello$`)
	vm.Kill()
	if exit := vm.WaitT(t, soon, qemu.Killed); exit.Resets == 0 {
		t.Errorf("expected resets to be counted, got %d", exit.Resets)
	}
}

func TestReasonKilled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	o := guest(t, "do=hang")
	o.Dir = t.TempDir()
	vm, err := qemu.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	vm.ExpectT(t, boot, `^guest: hello$`)
	short, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	if exit, err := vm.Wait(short); !errors.Is(err, qemu.ErrTimeout) || !strings.Contains(err.Error(), "guest: hello") {
		t.Errorf("a hang: expected %v with the last lines, got %v, %v", qemu.ErrTimeout, exit, err)
	}
	if _, err := vm.Command(t.Context(), "no-such-command", nil); !errors.Is(err, qemu.ErrCommand) {
		t.Errorf("expected %v, got %v", qemu.ErrCommand, err)
	}
	if err := vm.Screendump(t.Context(), "none.ppm"); !errors.Is(err, qemu.ErrNoDisplay) {
		t.Errorf("expected %v, got %v", qemu.ErrNoDisplay, err)
	}
	cause := errors.New("enough")
	cancel(cause)
	if exit := vm.WaitT(t, soon, qemu.Killed); !errors.Is(exit.Cause, cause) {
		t.Errorf("expected the context's cause, got %v", exit)
	}
	if _, err := vm.Command(t.Context(), "query-status", nil); err == nil {
		t.Error("expected an error from a machine that is gone")
	}
}

func TestDevices(t *testing.T) {
	o := guest(t, "do=modules do=disks do=poweroff")
	dir := t.TempDir()
	for i, d := range []qemu.Disk{
		{}, {ReadOnly: true}, {Interface: qemu.NVMe, Snapshot: true}, {Interface: qemu.AHCI},
	} {
		d.Path = filepath.Join(dir, fmt.Sprintf("disk,%d", i))
		if err := os.WriteFile(d.Path, make([]byte, (i+1)<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		o.Disks = append(o.Disks, d)
	}
	o.FWCfg = []qemu.FWCfg{{Name: "opt/test/value", Value: "a,b"}, {Name: "opt/test/file", Path: o.Disks[0].Path}}
	vm := qemu.StartT(t, o)
	vm.WaitT(t, boot, qemu.Shutdown)
	for _, want := range []string{
		"guest: disk vda sectors 2048 ro 0\n",
		"guest: disk vdb sectors 4096 ro 1\n",
		"guest: disk nvme0n1 sectors 6144 ro 0\n",
		"guest: disk sda sectors 8192 ro 0\n",
	} {
		if !strings.Contains(vm.Console(), want) {
			t.Errorf("expected %q", want)
		}
	}
}

// greeter says hello to whoever connects to its port of 127.0.0.1.
func greeter(t *testing.T) (port int) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "hello guest")
			conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestNetwork(t *testing.T) {
	o := guest(t, fmt.Sprintf("do=modules do=links do=dial do=listen do=poweroff host=%s:%d", qemu.HostAddress, greeter(t)))
	port, err := qemu.FreePort("udp")
	if err != nil {
		t.Fatal(err)
	}
	o.NICs = []qemu.NIC{
		{MAC: "52:54:00:00:00:01", Forward: []qemu.Forward{{Proto: "udp", HostPort: port, GuestPort: 7000}}},
		{MAC: "52:54:00:00:00:02", Model: qemu.E1000E},
		{MAC: "52:54:00:00:00:03", Backend: qemu.Unconnected},
		{MAC: "52:54:00:00:00:04", Backend: qemu.Unconnected, Model: qemu.E1000E},
	}
	vm := qemu.StartT(t, o)
	vm.ExpectT(t, boot, `^guest: the host says "hello guest"$`)
	vm.ExpectT(t, soon, `^guest: listening$`)
	conn, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "splash"); err != nil {
		t.Fatal(err)
	}
	vm.ExpectT(t, soon, `^guest: datagram "splash"$`)
	vm.WaitT(t, soon, qemu.Shutdown)
	for _, want := range []string{
		"link 52:54:00:00:00:01 driver virtio_net carrier 1\n",
		"link 52:54:00:00:00:02 driver e1000e carrier 1\n",
		"link 52:54:00:00:00:03 driver virtio_net carrier 1\n",
		"link 52:54:00:00:00:04 driver e1000e carrier 1\n",
	} {
		if !strings.Contains(vm.Console(), want) {
			t.Errorf("expected %q", want)
		}
	}
}

func TestNetworkCutOff(t *testing.T) {
	for name, nic := range map[string]qemu.NIC{
		"restricted":  {Restrict: true},
		"unconnected": {Backend: qemu.Unconnected},
	} {
		t.Run(name, func(t *testing.T) {
			o := guest(t, fmt.Sprintf("do=modules do=links do=dial do=poweroff host=%s:%d", qemu.HostAddress, greeter(t)))
			o.NICs = []qemu.NIC{nic}
			vm := qemu.StartT(t, o)
			vm.ExpectT(t, boot, `^guest: link .* driver virtio_net carrier 1$`)
			vm.ExpectT(t, soon, `^guest: dial: error: `)
			vm.WaitT(t, soon, qemu.Shutdown)
		})
	}
}
