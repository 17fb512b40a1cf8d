// Command guestinit is the whole user space of the guests that test package
// qemu. It obeys the words do=... of the kernel's command line, in order.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// mounts are what the actions need.
var mounts = []struct{ kind, dir string }{
	{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"},
}

// actions are what the command line can ask for. An action that fails says so
// and the next one follows.
var actions = map[string]func() error{
	"facts":    facts,
	"report":   report,
	"echo":     echo,
	"oem":      oemStrings,
	"modules":  modules,
	"disks":    disks,
	"links":    links,
	"dial":     dial,
	"listen":   listen,
	"flood":    flood,
	"hang":     hang,
	"panic":    func() error { os.Exit(3); return nil },
	"reboot":   func() error { return syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART) },
	"poweroff": func() error { return syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF) },
}

func main() {
	for _, m := range mounts {
		os.MkdirAll(m.dir, 0o755)
		if err := syscall.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil && err != syscall.EBUSY {
			fmt.Printf("guest: mount %s: %v\n", m.dir, err)
		}
	}
	fmt.Println("guest: hello")
	for _, word := range words() {
		name, ok := strings.CutPrefix(word, "do=")
		if !ok {
			continue
		}
		action, ok := actions[name]
		if !ok {
			fmt.Printf("guest: unknown action %q\n", name)
			continue
		}
		if err := action(); err != nil {
			fmt.Printf("guest: %s: error: %v\n", name, err)
		}
	}
	hang()
}

// hang does nothing for ever. An empty select would be a deadlock to Go.
func hang() error {
	for {
		time.Sleep(time.Hour)
	}
}

// words returns the words of the kernel's command line.
func words() []string {
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		fmt.Printf("guest: %v\n", err)
	}
	return strings.Fields(string(cmdline))
}

// facts prints what the machine looks like from inside.
func facts() error {
	fmt.Printf("guest: cpus %d\n", runtime.NumCPU())
	fmt.Printf("guest: time %s\n", time.Now().UTC().Format(time.RFC3339))
	mem, err := os.ReadFile("/proc/meminfo")
	first, _, _ := bytes.Cut(mem, []byte("\n"))
	fmt.Printf("guest: %s\n", first)
	return err
}

// report writes to the second serial port.
func report() error {
	f, err := os.OpenFile("/dev/ttyS1", os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, `{"report":"from the guest"}`)
	return err
}

// echo prompts without a line end and repeats what it reads.
func echo() error {
	fmt.Print("guest: say> ")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Printf("guest: heard %q\n", line)
	return err
}

// oemStrings prints a digest of each SMBIOS type 11 string.
func oemStrings() error {
	table, err := os.ReadFile("/sys/firmware/dmi/tables/DMI")
	for len(table) >= 4 {
		kind, size := table[0], int(table[1])
		end := bytes.Index(table[size:], []byte{0, 0})
		if end < 0 {
			return io.ErrUnexpectedEOF
		}
		if kind == 11 {
			for _, s := range bytes.Split(table[size:size+end], []byte{0}) {
				fmt.Printf("guest: oem %d bytes %x\n", len(s), sha256.Sum256(s))
			}
		}
		table = table[size+end+2:]
	}
	return err
}

// modules loads /modules/* in the order of their names. Some are accelerators
// that the processor may not have, so errors are only told.
func modules() error {
	files, err := filepath.Glob("/modules/*.ko")
	for _, file := range files {
		image, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := initModule(image); err != nil {
			fmt.Printf("guest: %s: %v\n", file, err)
		}
	}
	time.Sleep(time.Second) // disks are probed in the background
	return err
}

// disks prints the block devices.
func disks() error {
	devices, err := filepath.Glob("/sys/block/*")
	for _, device := range devices {
		size, _ := os.ReadFile(device + "/size")
		readOnly, _ := os.ReadFile(device + "/ro")
		fmt.Printf("guest: disk %s sectors %s ro %s\n", filepath.Base(device), bytes.TrimSpace(size), bytes.TrimSpace(readOnly))
	}
	return err
}

// flood prints fast and much.
func flood() error {
	out := bufio.NewWriter(os.Stdout)
	for i := range 5000 {
		fmt.Fprintf(out, "guest: flood %d\n", i)
	}
	return out.Flush()
}
