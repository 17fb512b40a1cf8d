package payload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"
)

// Reasons for having no network.
var (
	ErrNoLink  = errors.New("no network card")
	ErrNoLease = errors.New("no DHCP lease")
)

// DHCP's pace: the first answer usually takes milliseconds, a switch that is
// still learning the port (spanning tree) up to 30 seconds. The retries
// together are longer than any network-timeout; the context ends them.
const (
	dhcpTimeout = 2 * time.Second
	dhcpRetries = 2000
	linkPoll    = 50 * time.Millisecond
	// leaseGrace is how long other links may still join after the first lease.
	leaseGrace = 500 * time.Millisecond
)

// lease is what one link was given.
type lease struct {
	link netlink.Link
	ack  *dhcpv4.DHCPv4
}

// network takes all links up at once, asks for a lease on each, and goes on
// with those that answered by the time the first one did (and a little more).
func (m *machine) network(ctx context.Context, s *step) ([]lease, error) {
	ctx, cancel := context.WithTimeout(ctx, m.conf.NetworkTimeout)
	defer cancel()
	links, err := m.waitLinks(ctx)
	if err != nil {
		return nil, err
	}
	answers := make(chan answer, len(links))
	for _, link := range links {
		go func() {
			l, err := requestLease(ctx, link)
			answers <- answer{l, err}
		}()
	}
	leases, err := collect(answers, len(links), leaseGrace)
	if err != nil {
		return nil, err
	}
	for i, l := range leases {
		if err := l.configure(i); err != nil {
			return nil, err
		}
	}
	return leases, writeResolvConf("/etc/resolv.conf", leases)
}

// answer is how the request on one link ended.
type answer struct {
	lease lease
	err   error
}

// collect waits for the first lease, then grace longer for the others.
func collect(answers <-chan answer, n int, grace time.Duration) ([]lease, error) {
	var leases []lease
	var errs []error
	var enough <-chan time.Time
	for range n {
		select {
		case a := <-answers:
			if a.err != nil {
				errs = append(errs, a.err)
				continue
			}
			leases = append(leases, a.lease)
			if enough == nil {
				enough = time.After(grace)
			}
		case <-enough:
			return leases, nil
		}
	}
	if len(leases) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrNoLease, errors.Join(errs...))
	}
	return leases, nil
}

// waitLinks returns all links that belong to a device. Drivers may still be
// at work, so it waits for the first one and looks for more drivers.
func (m *machine) waitLinks(ctx context.Context) ([]netlink.Link, error) {
	for {
		all, err := netlink.LinkList()
		if err != nil {
			return nil, fmt.Errorf("netlink: %w", err)
		}
		var links []netlink.Link
		for _, l := range all {
			if _, err := os.Stat(filepath.Join("/sys/class/net", l.Attrs().Name, "device")); err == nil {
				links = append(links, l)
			}
		}
		if len(links) > 0 {
			return links, nil
		}
		m.modules.coldplug()
		if !sleep(ctx, linkPoll) {
			return nil, fmt.Errorf("%w: expected one with a driver within %s", ErrNoLink, m.conf.NetworkTimeout)
		}
	}
}

// sleep waits for d; false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// requestLease takes link up, waits for its carrier and asks for an address.
func requestLease(ctx context.Context, link netlink.Link) (lease, error) {
	name := link.Attrs().Name
	if err := netlink.LinkSetUp(link); err != nil {
		return lease{}, fmt.Errorf("%s: link up: %w", name, err)
	}
	for !hasCarrier(name) {
		if !sleep(ctx, linkPoll) {
			return lease{}, fmt.Errorf("%s: no carrier", name)
		}
	}
	client, err := nclient4.New(name, nclient4.WithTimeout(dhcpTimeout), nclient4.WithRetry(dhcpRetries))
	if err != nil {
		return lease{}, fmt.Errorf("%s: dhcp: %w", name, err)
	}
	defer client.Close()
	l, err := client.Request(ctx)
	if err != nil {
		return lease{}, fmt.Errorf("%s: dhcp: carrier is up, no answer: %w", name, err)
	}
	return lease{link, l.ACK}, nil
}

func hasCarrier(name string) bool {
	data, err := os.ReadFile(filepath.Join("/sys/class/net", name, "carrier"))
	return err == nil && strings.TrimSpace(string(data)) == "1"
}

// configure gives the link its address and routes. The n-th lease's default
// route is used only when those before it fail.
func (l lease) configure(n int) error {
	name := l.link.Attrs().Name
	mask := l.ack.SubnetMask()
	if mask == nil {
		mask = l.ack.YourIPAddr.DefaultMask()
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: l.ack.YourIPAddr, Mask: mask}}
	if err := netlink.AddrReplace(l.link, addr); err != nil {
		return fmt.Errorf("%s: address %s: %w", name, addr, err)
	}
	routers := l.ack.Router()
	if len(routers) == 0 {
		return nil
	}
	gw := routers[0] // RFC 2132, section 3.5: in order of preference
	route := &netlink.Route{LinkIndex: l.link.Attrs().Index, Gw: gw, Priority: 100 + n, Flags: int(netlink.FLAG_ONLINK)}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("%s: default route by %s: %w", name, gw, err)
	}
	return nil
}

// maxNameservers is what resolvers read (resolv.conf(5)).
const maxNameservers = 3

func writeResolvConf(file string, leases []lease) error {
	var b strings.Builder
	n := 0
	for _, l := range leases {
		for _, ip := range l.ack.DNS() {
			if n++; n <= maxNameservers {
				fmt.Fprintf(&b, "nameserver %s\n", ip)
			}
		}
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("resolver: %w", err)
	}
	return nil
}

// describe names the leases for the console.
func describe(leases []lease) string {
	var out []string
	for _, l := range leases {
		ones, _ := l.ack.SubnetMask().Size()
		out = append(out, fmt.Sprintf("%s %s/%d", l.link.Attrs().Name, l.ack.YourIPAddr, ones))
	}
	return strings.Join(out, ", ")
}
