// Command guestinit is the whole user space of the guests that test package
// qemu. It obeys the words do=... of the kernel's command line, in order.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
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
	"net":      network,
	"flood":    flood,
	"overlong": overlong,
	"hang":     func() error { select {} },
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
	cmdline, _ := os.ReadFile("/proc/cmdline")
	for _, word := range strings.Fields(string(cmdline)) {
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
	select {}
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

// modules loads /modules/* in the order of their names.
func modules() error {
	files, err := filepath.Glob("/modules/*.ko")
	for _, file := range files {
		image, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := initModule(image); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	time.Sleep(time.Second) // disks are probed in the background
	return err
}

// disks prints the block devices with their serial numbers and sizes.
func disks() error {
	devices, err := filepath.Glob("/sys/block/*")
	for _, device := range devices {
		size, _ := os.ReadFile(device + "/size")
		readOnly, _ := os.ReadFile(device + "/ro")
		fmt.Printf("guest: disk %s sectors %s ro %s\n", filepath.Base(device), bytes.TrimSpace(size), bytes.TrimSpace(readOnly))
	}
	return err
}

// network brings the links up and prints their state.
func network() error {
	links, err := net.Interfaces()
	for _, link := range links {
		if link.Flags&net.FlagLoopback != 0 {
			continue
		}
		if err := up(link.Name); err != nil {
			return fmt.Errorf("%s: %w", link.Name, err)
		}
		carrier := []byte("0")
		for try := 0; try < 50 && string(carrier) != "1"; try++ { // negotiation takes a while
			time.Sleep(100 * time.Millisecond)
			carrier, _ = os.ReadFile("/sys/class/net/" + link.Name + "/carrier")
			carrier = bytes.TrimSpace(carrier)
		}
		driver, _ := os.Readlink("/sys/class/net/" + link.Name + "/device/driver")
		fmt.Printf("guest: link %s %s driver %s carrier %s\n", link.Name, link.HardwareAddr, filepath.Base(driver), carrier)
	}
	return err
}

// flood prints fast and much.
func flood() error {
	out := bufio.NewWriter(os.Stdout)
	for i := range 20000 {
		fmt.Fprintf(out, "guest: flood %d\n", i)
	}
	return out.Flush()
}

// overlong prints a line that has no end.
func overlong() error {
	_, err := os.Stdout.WriteString(strings.Repeat("x", 70000) + "\n")
	return err
}
