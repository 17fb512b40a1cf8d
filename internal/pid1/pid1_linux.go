// Package pid1 holds the duties that come with being process 1: collect dead
// children, never exit, turn ctrl-alt-del and a crash into a reboot, keep the
// garbage collector from eating the machine.
//
// Call Setup first, in both lives of /init.
package pid1

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-boot/slipway/internal/bootlog"
)

// panicSeconds is how long the kernel waits before it reboots when process 1
// died or the kernel itself crashed: long enough to read the console.
const panicSeconds = 10

// heapShare is the part of the machine's memory that Go's heap may take
// before it is collected all the time: the layers and the root need the rest.
const heapShare = 8

// minHeap is the limit on very small machines.
const minHeap = 32 << 20

// How a machine ends.
const (
	Reboot   = "reboot"
	PowerOff = "poweroff"
	Halt     = "halt"
)

// Setup takes over the duties of process 1. It wants /proc to be mounted.
// What cannot be set is a warning and no reason to stop.
func Setup(log *bootlog.Log) {
	for _, s := range []struct{ file, value string }{
		{"/proc/sys/kernel/panic", strconv.Itoa(panicSeconds)},
		{"/proc/sys/kernel/panic_on_oops", "1"},
	} {
		if err := os.WriteFile(s.file, []byte(s.value), 0); err != nil {
			log.Printf("warning: process 1: %v", err)
		}
	}
	// SIGINT comes from ctrl-alt-del once the kernel no longer acts on it.
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF); err != nil {
		log.Printf("warning: process 1: reboot(CAD_OFF): %v", err)
	}
	limitMemory()
	go handleSignals(log)
}

// Recover is deferred by process 1's main function. A panic there is logged
// like everything else, and the machine starts over. In other goroutines Go
// itself writes to the console and exits, which the kernel takes for its own
// panic and reboots.
func Recover(log *bootlog.Log) {
	if v := recover(); v != nil {
		crashed(log, v, debug.Stack(), func() { time.Sleep(panicSeconds * time.Second) }, End)
	}
}

func crashed(log *bootlog.Log, v any, stack []byte, wait func(), end func(how string) error) {
	log.Printf("panic: %v\n%s", v, stack)
	log.Printf("hint: this is a fault in slipway: please report the lines above; rebooting in %d s", panicSeconds)
	wait()
	for end(Reboot) != nil {
		wait()
	}
}

func limitMemory() {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return
	}
	total := int64(info.Totalram) * int64(info.Unit)
	debug.SetMemoryLimit(max(total/heapShare, minHeap))
}

func handleSignals(log *bootlog.Log) {
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, unix.SIGCHLD, unix.SIGINT, unix.SIGTERM)
	for sig := range ch {
		if sig == unix.SIGINT {
			log.Printf("ctrl-alt-del: rebooting")
			_ = End(Reboot)
		}
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if err != nil || pid <= 0 {
				break
			}
		}
	}
}

// End writes everything back and ends the machine: Reboot, PowerOff or Halt.
// It returns only if the kernel refuses.
func End(how string) error {
	cmd := unix.LINUX_REBOOT_CMD_RESTART
	switch how {
	case PowerOff:
		cmd = unix.LINUX_REBOOT_CMD_POWER_OFF
	case Halt:
		cmd = unix.LINUX_REBOOT_CMD_HALT
	}
	unix.Sync()
	if err := unix.Reboot(cmd); err != nil {
		return fmt.Errorf("reboot(%s): %w", how, err)
	}
	return nil
}

// Outputs opens every console the kernel prints on, and /dev/kmsg at a level
// that stays off the consoles, so that each line is seen once on each screen
// and is also in the kernel's log.
func Outputs() []bootlog.Output {
	var outs []bootlog.Output
	active, _ := os.ReadFile("/sys/class/tty/console/active")
	for _, name := range strings.Fields(string(active)) {
		f, err := os.OpenFile(filepath.Join("/dev", name), os.O_WRONLY|unix.O_NOCTTY, 0)
		if err != nil {
			continue
		}
		outs = append(outs, bootlog.Output{W: f, Bar: strings.Trim(name, "0123456789") == "tty"})
	}
	if len(outs) == 0 {
		outs = append(outs, bootlog.Output{W: os.Stderr})
	}
	if f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0); err == nil {
		outs = append(outs, bootlog.Output{W: f, Prefix: "<7>"})
	}
	return outs
}
