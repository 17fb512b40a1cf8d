//go:build vm

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/qemu"
	"github.com/slipway-boot/slipway/qemu/lab"
)

// floodPort is a port in the guest that nobody listens on: the packets only
// have to reach the card.
const floodPort = 9

// Bounds of the flood, which only ever goes to a port of 127.0.0.1 that QEMU
// holds.
const (
	floodPackets = 400_000
	floodPause   = 500 * time.Microsecond
)

// TestFlood: packets arrive during the whole boot, across the jump. A card
// that went on writing what it receives would change the root in memory; it is
// hashed before and after, and then file by file.
func TestFlood(t *testing.T) {
	for _, model := range []qemu.NICModel{qemu.VirtioNet, qemu.E1000E} {
		t.Run(string(model), func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			port, err := qemu.FreePort("udp")
			if err != nil {
				t.Fatal(err)
			}
			reference := r.pushSigned(t, lab.TinyOptions{Kargs: []string{"console=ttyS0,115200", "tiny.check=hash"}})
			o := r.machine(reference, "slipway.check-root")
			o.NICs = []qemu.NIC{{Model: model, Forward: []qemu.Forward{{Proto: "udp", HostPort: port, GuestPort: floodPort}}}}
			stop := flood(t, port)
			vm, got := boots(t, o)
			if sent := stop(); sent == 0 {
				t.Error("nothing was sent")
			}
			checkRoot(t, got)
			boot, err := report.Parse(got.Boot)
			if err != nil {
				t.Fatal(err)
			}
			if len(boot.RootSHA256) != 64 || !strings.Contains(vm.Console(), "root has the same hash as before the jump") {
				t.Errorf("the root was not hashed on both sides of the jump: %q", boot.RootSHA256)
			}
		})
	}
}

// flood sends until the returned function is called, which says how much.
func flood(t *testing.T, port int) (stop func() int) {
	t.Helper()
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	done, sent := make(chan struct{}), make(chan int)
	go func() {
		defer conn.Close()
		packet := []byte(strings.Repeat("flood", 280))
		n := 0
		for range floodPackets {
			select {
			case <-done:
				sent <- n
				return
			case <-time.After(floodPause):
			}
			if _, err := conn.Write(packet); err == nil { // refused while QEMU is not there yet
				n++
			}
		}
		<-done
		sent <- n
	}()
	return func() int { close(done); return <-sent }
}
