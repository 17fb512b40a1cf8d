package ocitest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Options are what a Registry is from its start; the zero value is a plain
// one.
type Options struct {
	// CA signs the server's certificate; nil means one of its own.
	CA *CA
	// Names are host names in the certificate, beside the loopback addresses.
	Names []string
	// NotBefore and NotAfter are the certificate's dates; zero means
	// yesterday and tomorrow.
	NotBefore, NotAfter time.Time
	// NoReferrers answers the referrers endpoint with 404, as many do.
	NoReferrers bool
	// User and Password, if set, are needed for everything: the registry then
	// hands out bearer tokens at /token.
	User, Password string
}

// Registry is a registry in this process.
type Registry struct {
	ca     *CA
	server *httptest.Server
	inner  http.Handler
	auth   Options

	mu       sync.Mutex
	realm    string
	faults   []*Fault
	requests []Request
}

// Request is one request the registry got.
type Request struct {
	Method, Path, Range, Authorization string
}

// Start runs a registry until the test ends.
func Start(tb testing.TB, o Options) *Registry {
	tb.Helper()
	r := &Registry{ca: o.CA, auth: o}
	if r.ca == nil {
		r.ca = NewCA(tb)
	}
	if o.NotBefore.IsZero() {
		o.NotBefore = time.Now().Add(-24 * time.Hour)
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = time.Now().Add(24 * time.Hour)
	}
	silent := log.New(io.Discard, "", 0)
	r.inner = registry.New(registry.Logger(silent), registry.WithReferrersSupport(!o.NoReferrers))
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	r.server.Config.ErrorLog = silent
	r.server.TLS = &tls.Config{Certificates: []tls.Certificate{r.ca.server(tb, o.Names, o.NotBefore, o.NotAfter)}}
	r.server.StartTLS()
	tb.Cleanup(func() {
		r.server.CloseClientConnections()
		r.server.Close()
	})
	return r
}

// Host returns "127.0.0.1:port".
func (r *Registry) Host() string { return r.server.Listener.Addr().String() }

// Roots returns the pool that a client needs.
func (r *Registry) Roots() *x509.CertPool { return r.ca.Roots() }

// CA returns the authority of the registry's certificate.
func (r *Registry) CA() *CA { return r.ca }

// SetRealm sends clients to another URL for their tokens.
func (r *Registry) SetRealm(url string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.realm = url
}

// Close stops the registry before the test ends: connections are refused.
func (r *Registry) Close() {
	r.server.CloseClientConnections()
	r.server.Close()
}

// Requests returns what was asked so far.
func (r *Registry) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Count returns how many requests had the method ("" means any) and part in
// their path.
func (r *Registry) Count(method, part string) int {
	n := 0
	for _, q := range r.Requests() {
		if (method == "" || q.Method == method) && strings.Contains(q.Path, part) {
			n++
		}
	}
	return n
}

// Push uploads an image or an index as "repository:tag" and returns the full
// reference.
func (r *Registry) Push(tb testing.TB, repositoryTag string, what remote.Taggable) string {
	tb.Helper()
	full := r.Host() + "/" + repositoryTag
	ref, err := name.ParseReference(full)
	if err != nil {
		tb.Fatal(err)
	}
	direct := &http.Client{Transport: handlerTransport{r.inner}}
	if err := remote.Push(ref, what, remote.WithTransport(direct.Transport)); err != nil {
		tb.Fatal(err)
	}
	return full
}

// Put stores a manifest with these exact bytes, unchecked.
func (r *Registry) Put(tb testing.TB, repository, nameOrTag, mediaType string, body []byte) {
	tb.Helper()
	r.direct(tb, http.MethodPut, "/v2/"+repository+"/manifests/"+nameOrTag, mediaType, body)
}

// PutBlob stores a blob with these exact bytes; digest must be theirs.
func (r *Registry) PutBlob(tb testing.TB, repository, digest string, body []byte) {
	tb.Helper()
	r.direct(tb, http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+digest, "application/octet-stream", body)
}

// Get returns what is stored at path, past faults and authentication.
func (r *Registry) Get(tb testing.TB, path string) []byte {
	tb.Helper()
	return r.direct(tb, http.MethodGet, path, "", nil)
}

// direct asks the store itself.
func (r *Registry) direct(tb testing.TB, method, path, mediaType string, body []byte) []byte {
	tb.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(string(body)))
	req.Header.Set("Content-Type", mediaType)
	rec := httptest.NewRecorder()
	r.inner.ServeHTTP(rec, req)
	if rec.Code >= http.StatusBadRequest {
		tb.Fatalf("%s %s: expected success, got %d: %s", method, path, rec.Code, rec.Body)
	}
	return rec.Body.Bytes()
}

// handlerTransport sends requests to a handler without a network.
type handlerTransport struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if req.Body == nil {
		req.Body = http.NoBody
	}
	t.handler.ServeHTTP(rec, req)
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}

// Dial returns a dialer that connects "host:port" as routes say, and refuses
// everything else.
func Dial(routes map[string]*Registry) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		r, ok := routes[address]
		if !ok {
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
		}
		return new(net.Dialer).DialContext(ctx, network, r.Host())
	}
}
