// Command init is the /init of test payloads: it says that it runs and switches
// the machine off.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Marker is on the console once the program runs.
const Marker = "slipway test init: running"

func main() {
	fmt.Println(Marker)
	if os.Getpid() != 1 {
		return
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("reboot:", err)
	}
	select {} // PID 1 must not exit
}
