// Command relock rewrites the lab's lock file with the newest versions that
// the mirror has, and prints what changed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/slipway-boot/slipway/qemu/lab"
)

func main() {
	cache := flag.String("cache", "", "cache `directory`")
	out := flag.String("o", "qemu/lab/debian-trixie.lock", "lock `file` to write")
	flag.Parse()
	l := &lab.Lab{Cache: *cache, Progress: func(line string) { fmt.Fprintln(os.Stderr, line) }}
	changes, err := l.Relock(context.Background(), *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "relock:", err)
		os.Exit(1)
	}
	for _, c := range changes {
		fmt.Println(c)
	}
}
