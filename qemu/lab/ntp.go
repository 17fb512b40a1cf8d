package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/beevik/ntp"
)

// NTP is a running time server.
type NTP struct {
	port   int
	daemon *daemon
}

// The server follows no other clock, never touches the machine's own (-x) and
// has no control port.
const chronyConf = `port %d
bindaddress 127.0.0.1
allow all
local stratum 8
cmdport 0
bindcmdaddress /
pidfile %s
`

const (
	ntpTries   = 3
	ntpTimeout = 500 * time.Millisecond
)

// StartNTP runs Debian's chronyd as a time server on a free UDP port of
// 127.0.0.1. It tells the host's time. Configuration and log lie in dir. The
// server ends with ctx, with [NTP.Stop], or with the process.
func (l *Lab) StartNTP(ctx context.Context, dir string) (*NTP, error) {
	p, err := l.server(ctx, "chronyd", "chrony")
	if err != nil {
		return nil, fmt.Errorf("ntp: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("ntp: %w", err)
	}
	// Another process may take the free port before chronyd does.
	for range ntpTries {
		var n *NTP
		if n, err = startChrony(ctx, p, dir); err == nil {
			return n, nil
		}
	}
	return nil, fmt.Errorf("ntp: %w", err)
}

func startChrony(ctx context.Context, p program, dir string) (*NTP, error) {
	port, err := freeUDPPort()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "chrony.conf")
	text := fmt.Sprintf(chronyConf, port, filepath.Join(dir, "chronyd.pid"))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	// -d: stay in the foreground; -x: leave the clock alone; -U: run as any
	// user; -u root: do not look for the package's own user.
	d, err := startDaemon(ctx, p, filepath.Join(dir, "chronyd.log"), "-d", "-x", "-U", "-u", "root", "-f", conf)
	if err != nil {
		return nil, err
	}
	n := &NTP{port: port, daemon: d}
	if err := d.poll(ctx, n.answers); err != nil {
		return nil, err
	}
	return n, nil
}

// answers asks for the time once.
func (n *NTP) answers() bool {
	r, err := ntp.QueryWithOptions(n.addr("127.0.0.1"), ntp.QueryOptions{Timeout: ntpTimeout})
	return err == nil && r.Validate() == nil
}

func freeUDPPort() (int, error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port, nil
}

func (n *NTP) addr(host string) string { return net.JoinHostPort(host, strconv.Itoa(n.port)) }

// Addr is host:port as seen from the host.
func (n *NTP) Addr() string { return n.addr("127.0.0.1") }

// GuestAddr is host:port as seen from a QEMU guest on the user network.
func (n *NTP) GuestAddr() string { return n.addr(GuestHost) }

// Stop ends the server and waits for it. Stopping twice is harmless.
func (n *NTP) Stop() { n.daemon.stop() }
