package oci

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	ggcr "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Ceilings of the connection.
const (
	dialTimeout     = 10 * time.Second
	idleTimeout     = 90 * time.Second
	maxHeaderBytes  = 64 << 10
	maxRedirects    = 5
	connsPerHost    = 16
	httpsPort       = "443"
	userAgent       = "slipway"
	dockerHubHost   = "index.docker.io"
	dockerHubTokens = "auth.docker.io"
)

// base returns the transport below everything else, made at the first call.
func (c *Client) base() *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transport == nil {
		dial := c.Dial
		if dial == nil {
			dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
		}
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		c.transport = &http.Transport{
			Protocols:              protocols,
			DialContext:            dial,
			Proxy:                  c.Proxy,
			TLSClientConfig:        &tls.Config{RootCAs: c.Roots, Time: c.Now, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  c.tryTimeout(),
			MaxResponseHeaderBytes: maxHeaderBytes,
			MaxConnsPerHost:        connsPerHost,
			MaxIdleConnsPerHost:    connsPerHost,
			IdleConnTimeout:        idleTimeout,
			DisableCompression:     true, // a digest is over the bytes as they are stored
		}
	}
	return c.transport
}

// CloseIdle closes connections that are not in use, so that the network can
// be taken down.
func (c *Client) CloseIdle() { c.base().CloseIdleConnections() }

// guard is the round tripper closest to the wire. Whatever the layers above
// decided, nothing leaves but HTTPS, and credentials only for the hosts that
// may see them.
type guard struct {
	next  http.RoundTripper
	hosts []string // host:port
}

// RoundTrip implements http.RoundTripper.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" {
		return nil, fmt.Errorf("%w: expected https, got %s", ErrRedirect, clip(req.URL.Redacted()))
	}
	if req.Header.Get("Authorization") != "" && !slices.Contains(g.hosts, withPort(req.URL.Host)) {
		req = req.Clone(req.Context())
		req.Header.Del("Authorization")
	}
	return g.next.RoundTrip(req)
}

func withPort(host string) string {
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return host + ":" + httpsPort
}

// checkRedirect refuses what a registry must not ask for.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d in a row", ErrRedirect, maxRedirects)
	}
	if req.URL.Scheme != "https" {
		return fmt.Errorf("%w: expected https, got %s", ErrRedirect, clip(req.URL.Redacted()))
	}
	return nil
}

// resource is how a keychain is asked about a repository.
type resource struct {
	endpoint
	registry string
}

// RegistryStr implements authn.Resource.
func (r resource) RegistryStr() string { return r.registry }

// session returns an HTTP client that is logged in to the repository, for
// pull or for push (transport.PullScope, transport.PushScope).
func (c *Client) session(ctx context.Context, e endpoint, scope string) (*http.Client, error) {
	key := scope + " " + e.String()
	c.mu.Lock()
	s := c.sessions[key]
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	registry, err := ggcr.NewRegistry(e.host, ggcr.StrictValidation)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReference, err)
	}
	host := registry.RegistryStr()
	hosts := []string{withPort(host)}
	if host == dockerHubHost {
		hosts = append(hosts, withPort(dockerHubTokens))
	}
	for _, realm := range c.Realms {
		hosts = append(hosts, withPort(realm))
	}
	auth := authn.Anonymous
	if c.Keychain != nil {
		if auth, err = authn.Resolve(ctx, c.Keychain, resource{e, host}); err != nil {
			return nil, fmt.Errorf("credentials for %s: %w", host, err)
		}
	}
	wire := transport.NewUserAgent(guard{c.base(), hosts}, userAgent)
	rt, err := transport.NewWithContext(ctx, registry, auth, wire, []string{"repository:" + e.path + ":" + scope})
	if err != nil {
		return nil, err
	}
	s = &http.Client{Transport: rt, CheckRedirect: checkRedirect}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions == nil {
		c.sessions = map[string]*http.Client{}
	}
	c.sessions[key] = s
	return s, nil
}

// call is one request to a repository.
type call struct {
	method string // "" means GET
	path   string // below /v2/<repository>/, or a URL
	header http.Header
	body   []byte
	scope  string // "" means pull
	accept []int  // status codes; nil means 200
}

// do makes one try of r. The caller closes the body of the response.
func (c *Client) do(ctx context.Context, e endpoint, r call) (*http.Response, error) {
	scope := r.scope
	if scope == "" {
		scope = transport.PullScope
	}
	s, err := c.session(ctx, e, scope)
	if err != nil {
		return nil, classify(ctx, err)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, urlOf(e, r.path), bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReference, err)
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	resp, err := s.Do(req)
	if err != nil {
		return nil, classify(ctx, err)
	}
	accept := r.accept
	if accept == nil {
		accept = []int{http.StatusOK}
	}
	if err := transport.CheckError(resp, accept...); err != nil {
		resp.Body.Close()
		return nil, withRetryAfter(classify(ctx, err), resp.Header)
	}
	return resp, nil
}

// urlOf returns the address of path in the repository.
func urlOf(e endpoint, path string) string {
	if strings.HasPrefix(path, "https://") {
		return path
	}
	host := e.host
	if host == "docker.io" {
		host = dockerHubHost
	}
	return "https://" + host + "/v2/" + e.path + "/" + path
}

// small makes r and reads the whole answer, of at most limit bytes, with
// retries.
func (c *Client) small(ctx context.Context, e endpoint, r call, limit int64) (body []byte, header http.Header, err error) {
	err = c.retry(ctx, urlOf(e, r.path), c.tries(), func(ctx context.Context) error {
		resp, err := c.do(ctx, e, r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.ContentLength > limit {
			return fmt.Errorf("%w: expected at most %d bytes, got %d", ErrTooLarge, limit, resp.ContentLength)
		}
		body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
		if err != nil {
			return classify(ctx, err)
		}
		if int64(len(body)) > limit {
			return fmt.Errorf("%w: expected at most %d bytes", ErrTooLarge, limit)
		}
		header = resp.Header
		return nil
	})
	return body, header, err
}
