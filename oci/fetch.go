package oci

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// originTimeout bounds the search for signatures at the origin when a mirror
// gave the image: machines behind a mirror often cannot reach the origin.
const originTimeout = 3 * time.Second

// Signed is what Fetch returns: the exact bytes of an image's documents and
// of everything that claims to sign them. Nothing in it has been verified;
// Policy.Verify turns it into an Image.
type Signed struct {
	ref           Reference
	top, instance Digest
	manifest      manifest // the instance's
	config        imageConfig
	signatures    []signature
	problems      []Finding // places to look for signatures that failed
	sources       []endpoint
}

// Reference returns what was asked for.
func (s *Signed) Reference() Reference { return s.ref }

// UnverifiedDigest is the digest the reference stands for at this moment,
// according to the registry.
func (s *Signed) UnverifiedDigest() Digest { return s.top }

// Signatures returns how many signatures were found, good or bad.
func (s *Signed) Signatures() int { return len(s.signatures) }

// Fetch resolves ref once and gets its manifest, the instance for the
// client's architecture, the config, and every signature for them. After the
// first answer everything is asked for by digest.
//
// Errors wrap ErrReference, ErrUnreachable, ErrCertificate (with ErrClock),
// ErrNotFound, ErrDenied, ErrRefused, ErrRedirect, ErrTooLarge,
// ErrDigestMismatch, ErrManifest or ErrArch. Trouble with signatures is no
// error of Fetch.
func (c *Client) Fetch(ctx context.Context, ref Reference) (*Signed, error) {
	if ref.IsZero() {
		return nil, fmt.Errorf("fetch: %w: empty", ErrReference)
	}
	endpoints := c.endpoints(ref)
	var failed joined
	for i, e := range endpoints {
		s, err := c.fetchFrom(ctx, e, ref)
		if err != nil {
			if i < len(endpoints)-1 {
				err = fmt.Errorf("mirror %s: %w", e, err)
			}
			failed = append(failed, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		s.sources = append([]endpoint{e}, endpoints[:i]...)
		s.sources = append(s.sources, endpoints[i+1:]...)
		c.collect(ctx, s)
		if err := context.Cause(ctx); err != nil {
			return nil, fmt.Errorf("fetch: %s: %w", ref, err)
		}
		return s, nil
	}
	return nil, fmt.Errorf("fetch: %s: %w", ref, failed)
}

func (c *Client) arch() string {
	if c.Arch == "" {
		return runtime.GOARCH
	}
	return c.Arch
}

// fetchFrom gets the documents of the image from one endpoint.
func (c *Client) fetchFrom(ctx context.Context, e endpoint, ref Reference) (*Signed, error) {
	name := string(ref.digest)
	if name == "" {
		name = ref.tag
	}
	top, err := c.manifest(ctx, e, name, ref.digest)
	if err != nil {
		return nil, err
	}
	c.progress("manifest", int64(len(top.raw)), int64(len(top.raw)))
	instance := top
	if top.isIndex() {
		d, err := top.choose(c.arch())
		if err != nil {
			return nil, err
		}
		if instance, err = c.manifest(ctx, e, string(d.Digest), d.Digest); err != nil {
			return nil, fmt.Errorf("instance for %s: %w", c.arch(), err)
		}
		if err := instance.is(d); err != nil {
			return nil, fmt.Errorf("instance for %s: %w", c.arch(), err)
		}
	}
	if instance.isIndex() {
		return nil, fmt.Errorf("%w: the instance for %s is another index", ErrManifest, c.arch())
	}
	raw, err := c.document(ctx, e, *instance.Config, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	config, err := parseConfig(raw, instance.manifest, c.arch())
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return &Signed{ref: ref, top: top.digest, instance: instance.digest, manifest: instance.manifest, config: config}, nil
}
