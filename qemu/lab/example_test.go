package lab_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/slipway-boot/slipway/qemu/lab"
)

// Push the tiny boot image to a registry that a QEMU guest can pull from.
func Example() {
	ctx := context.Background()
	l := &lab.Lab{Cache: "/var/cache/lab", Progress: func(line string) { log.Print(line) }}
	img, err := l.TinyImage(ctx, lab.TinyOptions{})
	if err != nil {
		log.Fatal(err)
	}
	ca, err := lab.NewCA("/tmp", time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	r, err := l.StartRegistry(ctx, "/tmp/registry", ca)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Stop()
	digest, err := r.Push(ctx, "test/tiny", "latest", img)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s/test/tiny@%s trusted through %s\n", r.GuestAddr(), digest, r.CAFile())
}
