package oci

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Defaults of a Client.
const (
	defaultTries      = 3
	defaultTryTimeout = 30 * time.Second
	defaultBackoff    = 500 * time.Millisecond
)

// Mirror sends requests for repositories below Prefix to Location instead.
type Mirror struct {
	// Prefix is a logical name, "host[:port][/path]"; it matches whole
	// components.
	Prefix string
	// Location takes the prefix's place when connecting.
	Location string
}

// Validate reports a mirror that could never be used. Errors wrap
// ErrReference.
func (m Mirror) Validate() error {
	for _, s := range []string{m.Prefix, m.Location} {
		if err := checkPlace(s); err != nil {
			return fmt.Errorf("%w: mirror %q: %w", ErrReference, clip(s), err)
		}
	}
	return nil
}

// Progress tells how far one transfer is.
type Progress struct {
	// What is being transferred: "manifest", "signatures" or a blob's digest.
	What string
	// Done and Total are bytes; Total is 0 where it is not known.
	Done, Total int64
}

// Retry tells that a try failed and another follows.
type Retry struct {
	// What was tried, such as "GET https://registry.example/v2/…".
	What string
	// Try is the number of the failed try, from 1, and Tries how many there
	// are.
	Try, Tries int
	// Err is why it failed, Wait how long until the next.
	Err  error
	Wait time.Duration
}

// Client talks to registries, by HTTPS and HTTP/1.1 only. The zero value is
// ready to use. It must not be copied or changed once it is in use, and may be
// used by several goroutines.
type Client struct {
	// Roots are the certificates a registry must chain to; nil means the
	// system's.
	Roots *x509.CertPool
	// Mirrors are tried before the registry itself, longest prefix first.
	Mirrors []Mirror
	// Arch is the wanted architecture in Go's spelling; "" means this
	// program's.
	Arch string
	// Now is the clock for certificates; nil means time.Now.
	Now func() time.Time
	// Keychain has the credentials for registries; nil means none. They go to
	// the registry itself and to the hosts in Realms, nowhere else.
	Keychain authn.Keychain
	// Realms are hosts of token servers that may see credentials, beside the
	// registry's own host; auth.docker.io may always see those of docker.io.
	Realms []string
	// Proxy is as in http.Transport; nil means none.
	Proxy func(*http.Request) (*url.URL, error)
	// Dial connects; nil means a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Tries is how often a request is tried; 0 means 3.
	Tries int
	// TryTimeout bounds one try, and the silence while a blob is read; 0
	// means 30 s.
	TryTimeout time.Duration
	// Backoff is the pause after the first failed try, which doubles with
	// every further one; 0 means 0.5 s.
	Backoff time.Duration
	// Progress, if set, is called while bytes arrive, from several goroutines
	// when several blobs are read at once.
	Progress func(Progress)
	// OnRetry, if set, is called before a failed try is repeated, from
	// several goroutines.
	OnRetry func(Retry)

	mu        sync.Mutex
	transport *http.Transport
	sessions  map[string]*http.Client
}

func (c *Client) tries() int {
	if c.Tries <= 0 {
		return defaultTries
	}
	return c.Tries
}

func (c *Client) tryTimeout() time.Duration {
	if c.TryTimeout <= 0 {
		return defaultTryTimeout
	}
	return c.TryTimeout
}

func (c *Client) progress(what string, done, total int64) {
	if c.Progress != nil {
		c.Progress(Progress{what, done, total})
	}
}

// endpoint is a repository at the place where the client connects.
type endpoint struct{ host, path string }

func (e endpoint) String() string { return e.host + "/" + e.path }

// endpoints lists where ref's repository may be, the origin last. Mirrors
// that do not pass Validate are left out.
func (c *Client) endpoints(ref Reference) []endpoint {
	mirrors := slices.Clone(c.Mirrors)
	slices.SortStableFunc(mirrors, func(a, b Mirror) int { return len(b.Prefix) - len(a.Prefix) })
	var out []endpoint
	add := func(repository string) {
		n, err := splitName(repository)
		e := endpoint{n.host, n.path}
		if err == nil && n.host != "" && n.tag == "" && !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	for _, m := range mirrors {
		if rest, ok := cutPrefix(ref.Repository(), m.Prefix); ok && m.Validate() == nil {
			add(m.Location + rest)
		}
	}
	add(ref.Repository())
	return out
}
