// Command init is process 1 of both lives: the loader on the payload's
// kernel, and the runtime on the boot image's. What the loader handed over
// tells which one this is. Called as "init sysroot" it assembles the root for
// an initramfs that is already running.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/slipway-boot/slipway/b2c"
	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/internal/mounts"
	"github.com/slipway-boot/slipway/internal/pid1"
	"github.com/slipway-boot/slipway/payload"
)

// readingTime is how long a failed runtime's message stays on the screen.
const readingTime = 10 * time.Second

func main() {
	if len(os.Args) == 2 && os.Args[1] == "sysroot" {
		sysroot()
		return
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "slipway: error: this program is an init: only a kernel starts it")
		os.Exit(2)
	}
	mountErr := mounts.All(mounts.API) // consoles come with /dev and /sys
	log := bootlog.New(pid1.Outputs()...)
	if mountErr != nil {
		log.Printf("error: %v", mountErr)
	}
	defer pid1.Recover(log)
	pid1.Setup(log)
	if b2c.HandedOver() {
		runtime(log)
	}
	ctx := context.Background()
	for cfg := (&payload.Config{FS: os.DirFS("/")}); ; {
		cfg = payload.Rescue(ctx, cfg, payload.Boot(ctx, cfg, log), log)
	}
}

// runtime is the second life. If it fails the machine starts over with the
// payload: an image that does not come up is the loader's to replace.
func runtime(log *bootlog.Log) {
	err := b2c.Live(log.Printf)
	log.Printf("runtime: error: %v", err)
	log.Printf("hint: the image was verified and does not start; boot another one")
	time.Sleep(readingTime)
	for {
		log.Printf("error: %v", pid1.End(pid1.Reboot))
		time.Sleep(readingTime)
	}
}

// sysroot runs as a service of the image's own initramfs.
func sysroot() {
	say := func(format string, args ...any) { fmt.Printf("slipway: "+format+"\n", args...) }
	if err := b2c.Assemble("/sysroot", say); err != nil {
		fmt.Fprintf(os.Stderr, "slipway: runtime: error: %v\n", err)
		os.Exit(1)
	}
}
