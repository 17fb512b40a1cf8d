package oci

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"time"
)

// Mirror sends requests for repositories below Prefix to Location instead.
type Mirror struct {
	// Prefix is a logical name, "host[:port][/path]"; it matches whole
	// components.
	Prefix string
	// Location takes the prefix's place when connecting.
	Location string
}

// Progress tells how far one transfer is.
type Progress struct {
	// What is being transferred: "manifest", "signatures" or a blob's digest.
	What string
	// Done and Total are bytes; Total is 0 where it is not known.
	Done, Total int64
}

// Client talks to registries, by HTTPS only. The zero value is ready to use.
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
	// Progress, if set, is called while bytes arrive, from several goroutines
	// when several blobs are read at once.
	Progress func(Progress)
}

// Signed is what Fetch returns: the exact bytes of an image's documents and
// of everything that claims to sign them. Nothing in it has been verified;
// Policy.Verify turns it into an Image.
type Signed struct {
	ref Reference
	top Digest
}

// Reference returns what was asked for.
func (s *Signed) Reference() Reference { return s.ref }

// UnverifiedDigest is the digest the reference stands for at this moment,
// according to the registry.
func (s *Signed) UnverifiedDigest() Digest { return s.top }

// Fetch resolves ref once and gets its manifest, the instance for the
// client's architecture, the config and every signature for them.
func (c *Client) Fetch(ctx context.Context, ref Reference) (*Signed, error) {
	return nil, errors.New("fetch: not built yet")
}

// Blob returns the raw bytes of one of img's layers. They are not verified:
// the caller hashes them.
func (c *Client) Blob(ctx context.Context, img *Image, d Digest, size int64) (io.ReadCloser, error) {
	return nil, errors.New("blob: not built yet")
}
