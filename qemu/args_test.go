package qemu

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// base is what every machine has, with the parts that options change marked.
const base = "-name vm -nodefaults -no-user-config -display none" +
	" -machine q35,smbios-entry-point-type=32 -accel tcg -cpu qemu64,-cx16 -smp 2 -m 1024" +
	" -rtc base=utc -device virtio-rng-pci -no-reboot"

// ports is the console and the report channel.
const ports = "-chardev stdio,id=console,signal=off,mux=off -serial chardev:console" +
	" -chardev file,id=report,path=/d/report -serial chardev:report"

func TestArgs(t *testing.T) {
	tests := map[string]struct {
		options Options
		want    string // words
	}{
		"zero": {Options{}, base + " " + ports},
		"machine": {
			Options{Name: "a,b", KVM: true, CPUs: 4, MemoryMiB: 900, Reboot: true, Display: true,
				RTC: time.Date(2045, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600))},
			"-name a,,b -nodefaults -no-user-config -display none" +
				" -machine q35,smbios-entry-point-type=32 -accel kvm -cpu host -smp 4 -m 900" +
				" -rtc base=2045-03-04T04:06:07 -device virtio-rng-pci -device VGA,romfile= " + ports,
		},
		"kernel": {
			Options{Kernel: "/k,1", Initrd: "/i,1", Cmdline: "console=ttyS0,115200"},
			base + " -kernel /k,1 -initrd /i,1 -append console=ttyS0,115200 " + ports,
		},
		"uefi": {
			Options{Firmware: Firmware{Code: "/c,ode", Vars: "/template"}},
			base + " -drive if=pflash,unit=0,format=raw,readonly=on,file=/c,,ode" +
				" -drive if=pflash,unit=1,format=raw,file=/d/efivars.fd" +
				" -fw_cfg name=opt/org.tianocore/IPv4PXESupport,string=n" +
				" -fw_cfg name=opt/org.tianocore/IPv6PXESupport,string=n " + ports,
		},
		"rom": {Options{Firmware: Firmware{ROM: "/coreboot.rom"}}, base + " -bios /coreboot.rom " + ports},
		"terminal": {
			Options{Terminal: &Terminal{}},
			base + " " + strings.Replace(ports, "mux=off", "mux=on", 1),
		},
		"disks in list order": {
			Options{Disks: []Disk{{Path: "/a,b"}, {Path: "/b", Interface: NVMe, Snapshot: true}, {Path: "/c", Interface: AHCI, Format: QCOW2}}},
			base + " " + ports +
				" -drive if=none,id=disk0,format=raw,cache=unsafe,discard=unmap,file=/a,,b" +
				" -device virtio-blk-pci,drive=disk0,serial=disk0,bootindex=1" +
				" -drive if=none,id=disk1,format=raw,cache=unsafe,discard=unmap,file=/b,snapshot=on" +
				" -device nvme,drive=disk1,serial=disk1,bootindex=2" +
				" -drive if=none,id=disk2,format=qcow2,cache=unsafe,discard=unmap,file=/c" +
				" -device ide-hd,bus=ide.2,drive=disk2,serial=disk2,bootindex=3",
		},
		"disks in their own order": {
			Options{Disks: []Disk{{Path: "/a", ReadOnly: true}, {Path: "/b", BootIndex: 7}}},
			base + " " + ports +
				" -drive if=none,id=disk0,format=raw,cache=unsafe,discard=unmap,file=/a,readonly=on" +
				" -device virtio-blk-pci,drive=disk0,serial=disk0" +
				" -drive if=none,id=disk1,format=raw,cache=unsafe,discard=unmap,file=/b" +
				" -device virtio-blk-pci,drive=disk1,serial=disk1,bootindex=7",
		},
		"nics": {
			Options{NICs: []NIC{
				{Forward: []Forward{{HostPort: 2222, GuestPort: 22}, {Proto: "udp", HostPort: 9, GuestPort: 99}}},
				{Model: E1000E, Backend: Unconnected, MAC: "52:54:00:00:00:09"},
				{Restrict: true},
			}},
			base + " " + ports +
				" -netdev user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp:127.0.0.1:9-:99" +
				" -device virtio-net-pci,netdev=net0,romfile=" +
				" -netdev hubport,id=net1,hubid=1" +
				" -device e1000e,netdev=net1,romfile=,mac=52:54:00:00:00:09" +
				" -netdev user,id=net2,restrict=on" +
				" -device virtio-net-pci,netdev=net2,romfile=",
		},
		"data": {
			Options{
				SMBIOS: []OEMString{{Value: "io.systemd.credential:a=1,2"}, {Path: "/s,1"}},
				FWCfg:  []FWCfg{{Name: "opt/a", Value: "path=x,y"}, {Name: "opt/b", Path: "/path=f"}},
			},
			base + " " + ports +
				" -smbios type=11,value=io.systemd.credential:a=1,,2 -smbios type=11,path=/s,,1" +
				" -fw_cfg name=opt/a,string=path=x,,y -fw_cfg name=opt/b,file=/path=f",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.options.Dir = "/d"
			got, err := test.options.Args()
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Fields(test.want); !slices.Equal(got, want) {
				t.Errorf("\nexpected %q\ngot      %q", want, got)
			}
		})
	}
}

func TestArgsRefuses(t *testing.T) {
	forward := func(f Forward) Options { return Options{Dir: "/d", NICs: []NIC{{Forward: []Forward{f}}}} }
	tests := map[string]struct {
		options Options
		want    error
	}{
		"no directory":          {Options{}, ErrNoDir},
		"little memory":         {Options{Dir: "/d", MemoryMiB: 1}, ErrMemory},
		"negative memory":       {Options{Dir: "/d", MemoryMiB: -1}, ErrMemory},
		"much memory":           {Options{Dir: "/d", MemoryMiB: 2 << 20}, ErrMemory},
		"negative cpus":         {Options{Dir: "/d", CPUs: -1}, ErrCPUs},
		"many cpus":             {Options{Dir: "/d", CPUs: 65}, ErrCPUs},
		"code without vars":     {Options{Dir: "/d", Firmware: Firmware{Code: "/c"}}, ErrFirmware},
		"vars without code":     {Options{Dir: "/d", Firmware: Firmware{Vars: "/v"}}, ErrFirmware},
		"rom and uefi":          {Options{Dir: "/d", Firmware: Firmware{ROM: "/r", Code: "/c", Vars: "/v"}}, ErrFirmware},
		"initrd alone":          {Options{Dir: "/d", Initrd: "/i"}, ErrKernel},
		"command line alone":    {Options{Dir: "/d", Cmdline: "quiet"}, ErrKernel},
		"disk without path":     {Options{Dir: "/d", Disks: []Disk{{}}}, ErrDisk},
		"disk format":           {Options{Dir: "/d", Disks: []Disk{{Path: "/a", Format: "vmdk"}}}, ErrDisk},
		"disk interface":        {Options{Dir: "/d", Disks: []Disk{{Path: "/a", Interface: "floppy"}}}, ErrDisk},
		"disk boot index":       {Options{Dir: "/d", Disks: []Disk{{Path: "/a", BootIndex: -1}}}, ErrDisk},
		"read-only SATA":        {Options{Dir: "/d", Disks: []Disk{{Path: "/a", Interface: AHCI, ReadOnly: true}}}, ErrDisk},
		"many disks":            {Options{Dir: "/d", Disks: make([]Disk, maxDisks+1)}, ErrDisk},
		"nic model":             {Options{Dir: "/d", NICs: []NIC{{Model: "ne2k_pci"}}}, ErrNIC},
		"nic backend":           {Options{Dir: "/d", NICs: []NIC{{Backend: "tap"}}}, ErrNIC},
		"nic restricted hub":    {Options{Dir: "/d", NICs: []NIC{{Backend: Unconnected, Restrict: true}}}, ErrNIC},
		"nic address":           {Options{Dir: "/d", NICs: []NIC{{MAC: "52:54"}}}, ErrNIC},
		"nic multicast address": {Options{Dir: "/d", NICs: []NIC{{MAC: "01:00:5e:00:00:01"}}}, ErrNIC},
		"many nics":             {Options{Dir: "/d", NICs: make([]NIC, maxNICs+1)}, ErrNIC},
		"forward protocol":      {forward(Forward{Proto: "sctp", HostPort: 1, GuestPort: 1}), ErrForward},
		"forward without ports": {forward(Forward{}), ErrForward},
		"forward port":          {forward(Forward{HostPort: 1, GuestPort: 65536}), ErrForward},
		"smbios nothing":        {Options{Dir: "/d", SMBIOS: []OEMString{{}}}, ErrSMBIOS},
		"smbios both":           {Options{Dir: "/d", SMBIOS: []OEMString{{Value: "a", Path: "/a"}}}, ErrSMBIOS},
		"smbios long":           {Options{Dir: "/d", SMBIOS: []OEMString{{Value: strings.Repeat("a", maxText+1)}}}, ErrSMBIOS},
		"fw_cfg name":           {Options{Dir: "/d", FWCfg: []FWCfg{{Name: "etc/a", Value: "a"}}}, ErrFWCfg},
		"fw_cfg nothing":        {Options{Dir: "/d", FWCfg: []FWCfg{{Name: "opt/a"}}}, ErrFWCfg},
		"nul":                   {Options{Dir: "/d", Kernel: "/k", Cmdline: "a\x00b"}, ErrValue},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if args, err := test.options.Args(); !errors.Is(err, test.want) {
				t.Errorf("expected %v, got %v, %q", test.want, err, args)
			}
		})
	}
}

func TestFreePort(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		if port, err := FreePort(network); err != nil || port < 1024 {
			t.Errorf("%s: got %d, %v", network, port, err)
		}
	}
	if _, err := FreePort("sctp"); !errors.Is(err, ErrForward) {
		t.Errorf("expected %v, got %v", ErrForward, err)
	}
}

func TestQuote(t *testing.T) {
	for _, word := range []string{"", "plain", "a b", "it's", `"$HOME" \n`, "a;b", "ä*"} {
		got, err := exec.Command("sh", "-c", "printf %s "+quote(word)).Output()
		if err != nil || string(got) != word {
			t.Errorf("%q: the shell reads %q, %v", word, got, err)
		}
	}
}
