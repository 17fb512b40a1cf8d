package qemu_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/qemu"
)

func ExampleOptions_Args() {
	o := qemu.Options{
		Dir:     "/tmp/vm",
		Kernel:  "vmlinuz",
		Initrd:  "initramfs.cpio",
		Cmdline: "console=ttyS0",
		NICs:    []qemu.NIC{{}},
	}
	args, err := o.Args()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.ReplaceAll(strings.Join(args, " "), " -", "\n-"))
	// Output:
	// -name vm
	// -nodefaults
	// -no-user-config
	// -display none
	// -machine q35,smbios-entry-point-type=32
	// -accel tcg
	// -cpu qemu64,-cx16
	// -smp 2
	// -m 1024
	// -rtc base=utc
	// -device virtio-rng-pci
	// -no-reboot
	// -kernel vmlinuz
	// -initrd initramfs.cpio
	// -append console=ttyS0
	// -chardev stdio,id=console,signal=off,mux=off
	// -serial chardev:console
	// -chardev file,id=report,path=/tmp/vm/report
	// -serial chardev:report
	// -netdev user,id=net0
	// -device virtio-net-pci,netdev=net0,romfile=
}

func ExampleStart() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	vm, err := qemu.Start(ctx, qemu.Options{Disks: []qemu.Disk{{Path: "disk.img", Snapshot: true}}})
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(vm.Dir())
	if _, err := vm.Expect(ctx, regexp.MustCompile(`login: $`)); err != nil {
		log.Fatal(err)
	}
	if err := vm.Send("root\n"); err != nil {
		log.Fatal(err)
	}
	exit, err := vm.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(exit.Reason)
}
