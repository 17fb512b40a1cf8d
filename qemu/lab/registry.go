package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// GuestHost is the address under which QEMU's user network shows the host's
// loopback servers to a guest.
const GuestHost = "10.0.2.2"

// Registry is a running docker-registry.
type Registry struct {
	lab    *Lab
	dir    string
	addr   string
	ca     *CA
	daemon *daemon
}

// The port is the kernel's choice and comes out of the log. Deletion is on so
// that tests can take things away.
const registryConf = `version: 0.1
log:
  level: info
storage:
  filesystem:
    rootdirectory: %q
  delete:
    enabled: true
http:
  addr: 127.0.0.1:0
  tls:
    certificate: %q
    key: %q
`

// StartRegistry runs Debian's docker-registry on a free port of 127.0.0.1,
// over TLS with a certificate of ca for 127.0.0.1, [GuestHost] and the given
// names. Storage, certificate and log lie in dir. The registry ends with ctx,
// with [Registry.Stop], or with the process.
func (l *Lab) StartRegistry(ctx context.Context, dir string, ca *CA, names ...string) (*Registry, error) {
	p, err := l.server(ctx, "docker-registry", "docker-registry")
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	cert, key, err := ca.Issue(dir, append([]string{"127.0.0.1", GuestHost}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	conf := filepath.Join(dir, "registry.yml")
	text := fmt.Sprintf(registryConf, filepath.Join(dir, "data"), cert, key)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	d, err := startDaemon(ctx, p, filepath.Join(dir, "registry.log"), "serve", conf)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	m, err := d.ready(ctx, regexp.MustCompile(`listening on (127\.0\.0\.1:\d+), tls`))
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return &Registry{lab: l, dir: dir, addr: m[1], ca: ca, daemon: d}, nil
}

// Addr is host:port as seen from the host.
func (r *Registry) Addr() string { return r.addr }

// GuestAddr is host:port as seen from a QEMU guest on the user network.
func (r *Registry) GuestAddr() string {
	_, port, _ := net.SplitHostPort(r.addr)
	return net.JoinHostPort(GuestHost, port)
}

// CAFile is the certificate that clients must trust, in PEM form.
func (r *Registry) CAFile() string { return r.ca.File }

// LogFile has everything the registry printed, one line per request included.
func (r *Registry) LogFile() string { return r.daemon.log }

// Stop ends the registry and waits for it. Stopping twice is harmless.
func (r *Registry) Stop() { r.daemon.stop() }

// Pushable is an image or an index of images.
type Pushable interface {
	remote.Taggable
	Digest() (v1.Hash, error)
}

// Push uploads an image, or an index with all its images, under repo:tag and
// returns its digest.
func (r *Registry) Push(ctx context.Context, repo, tag string, what Pushable) (digest string, err error) {
	d, err := what.Digest()
	if err != nil {
		return "", fmt.Errorf("push: %w", err)
	}
	ref, err := name.NewTag(r.addr+"/"+repo+":"+tag, name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("push: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.ca.Pool()}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	updates := make(chan v1.Update, 16)
	told := make(chan struct{})
	go func() {
		defer close(told)
		r.lab.follow("pushing "+repo+":"+tag, updates)
	}()
	// remote closes the channel when it is done.
	err = remote.Push(ref, what, remote.WithContext(ctx), remote.WithTransport(transport), remote.WithProgress(updates))
	<-told
	if err != nil {
		return "", fmt.Errorf("push: %w", err)
	}
	return d.String(), nil
}

const progressEvery = 2 * time.Second

// follow tells how far an upload is, at most every two seconds.
func (l *Lab) follow(what string, updates <-chan v1.Update) {
	last := time.Now()
	for u := range updates {
		if u.Error == nil && u.Total > 0 && time.Since(last) >= progressEvery {
			last = time.Now()
			l.say("%s: %d of %d MB", what, u.Complete>>20, u.Total>>20)
		}
	}
}
