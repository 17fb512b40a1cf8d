package payload

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/beevik/ntp"
	"golang.org/x/sys/unix"
)

// ntpTimeout is how long all time servers together get.
const ntpTimeout = 3 * time.Second

// maxNTPServers bounds how many are asked, at once.
const maxNTPServers = 8

// clock sets the time: from the first NTP server that answers, and never to
// before the payload was built. NTP is not authenticated, so it can only move
// the clock forward from the build time; what that allows an attacker is in
// docs/threat-model.md. It returns what the console says of it.
func (m *machine) clock(ctx context.Context, leases []lease) (string, error) {
	floor := time.Unix(m.info.Built, 0)
	servers := m.conf.NTP
	for _, l := range leases {
		for _, ip := range l.ack.NTPServers() {
			servers = append(servers, ip.String())
		}
	}
	now, asked := time.Now(), "the machine's clock"
	if len(servers) > 0 {
		if t, server, ok := askTime(ctx, servers); ok && t.After(floor) {
			now, asked = t, "time from "+server
			if err := setTime(now); err != nil {
				return "", err
			}
			m.clockTrusted = true
		} else {
			asked += ", no time server answered"
		}
	}
	if now.Before(floor) {
		asked = fmt.Sprintf("clock was at %s, set to the payload's build time", now.UTC().Format(time.DateOnly))
		if err := setTime(floor); err != nil {
			return "", err
		}
		m.clockTrusted = false
		return asked, nil
	}
	m.clockTrusted = true
	return fmt.Sprintf("%s (%s)", now.UTC().Format("2006-01-02 15:04 UTC"), asked), nil
}

// askTime asks all servers at once and takes the first usable answer.
func askTime(ctx context.Context, servers []string) (time.Time, string, bool) {
	ctx, cancel := context.WithTimeout(ctx, ntpTimeout)
	defer cancel()
	type answer struct {
		offset time.Duration
		server string
		err    error
	}
	servers = servers[:min(len(servers), maxNTPServers)]
	answers := make(chan answer, len(servers))
	for _, server := range servers {
		go func() {
			r, err := ntp.QueryWithOptions(withPort(server, "123"), ntp.QueryOptions{Timeout: ntpTimeout})
			if err == nil {
				err = r.Validate()
			}
			if err != nil {
				answers <- answer{err: err}
				return
			}
			answers <- answer{offset: r.ClockOffset, server: server}
		}()
	}
	for range servers {
		select {
		case a := <-answers:
			if a.err == nil {
				return time.Now().Add(a.offset), a.server, true
			}
		case <-ctx.Done():
			return time.Time{}, "", false
		}
	}
	return time.Time{}, "", false
}

func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, port)
}

func setTime(t time.Time) error {
	tv := unix.NsecToTimeval(t.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		return fmt.Errorf("clock: settimeofday(%s) = %w", t.UTC().Format(time.RFC3339), err)
	}
	return nil
}
