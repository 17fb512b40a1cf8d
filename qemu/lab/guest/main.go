// Command guest is PID 1 of the lab's tiny boot image; see package tiny.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/slipway-boot/slipway/qemu/lab/tiny"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: runs only as PID 1: it powers the machine off")
		os.Exit(2)
	}
	tiny.Console(tiny.Run())
	if err := tiny.PowerOff(); err != nil {
		tiny.Console("guest: " + err.Error())
	}
	for { // PID 1 must not exit
		time.Sleep(time.Hour)
	}
}
