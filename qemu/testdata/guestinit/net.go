package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// netTimeout is how long a network action waits for the host.
const netTimeout = 5 * time.Second

// links brings all links up and prints their state. The first one gets the
// address that QEMU's user network has for its first guest.
func links() error {
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	first := true
	for _, link := range all {
		if link.Flags&net.FlagLoopback != 0 {
			continue
		}
		if first {
			if err := setAddress(link.Name, [4]byte{10, 0, 2, 15}); err != nil {
				return fmt.Errorf("%s: %w", link.Name, err)
			}
			first = false
		}
		if err := setUp(link.Name); err != nil {
			return fmt.Errorf("%s: %w", link.Name, err)
		}
		driver, err := os.Readlink("/sys/class/net/" + link.Name + "/device/driver")
		fmt.Printf("guest: link %s driver %s carrier %s\n", link.HardwareAddr, filepath.Base(driver), carrier(link.Name))
		if err != nil {
			return err
		}
	}
	return nil
}

// carrier waits for a link's carrier, because negotiation takes a while.
func carrier(name string) string {
	var state []byte
	for end := time.Now().Add(netTimeout); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		state, _ = os.ReadFile("/sys/class/net/" + name + "/carrier") // unreadable while down
		if state = bytes.TrimSpace(state); string(state) == "1" {
			break
		}
	}
	return string(state)
}

// dial connects to the address of the word host=, and prints what it says.
func dial() error {
	for _, word := range words() {
		address, ok := strings.CutPrefix(word, "host=")
		if !ok {
			continue
		}
		conn, err := net.DialTimeout("tcp4", address, netTimeout)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(netTimeout))
		said, err := io.ReadAll(io.LimitReader(conn, 1024))
		fmt.Printf("guest: the host says %q\n", said)
		return err
	}
	return fmt.Errorf("no host=")
}

// listen prints one datagram that arrives at port 7000.
func listen() error {
	conn, err := net.ListenPacket("udp4", ":7000")
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * netTimeout))
	fmt.Println("guest: listening")
	buf := make([]byte, 1024)
	n, _, err := conn.ReadFrom(buf)
	fmt.Printf("guest: datagram %q\n", buf[:n])
	return err
}
