package oci

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// FormatBoth is the choice of both formats in SignOptions.
const FormatBoth = "both"

// SignOptions are the choices of Sign; the zero value writes both formats for
// the reference itself.
type SignOptions struct {
	// Formats is FormatTag, FormatBundle or FormatBoth; "" means both.
	Formats string
	// Annotations are signed along with the digest: epoch, expires and
	// whatever else. The annotation ref is added if it is missing, since a
	// bundle has no other name.
	Annotations map[string]string
	// Recursive signs every instance of an index as well, as podman wants it.
	Recursive bool
	// Identity is the name inside the signature, "host/repository[:tag]", for
	// images that are pushed to another address than they are pulled from; ""
	// means the reference itself.
	Identity string
}

// Signature is one signature that Sign pushed, or found already there.
type Signature struct {
	// Digest is what was signed.
	Digest Digest `json:"digest"`
	// Format is FormatTag or FormatBundle.
	Format string `json:"format"`
	// KeyID is that of the key.
	KeyID string `json:"key_id"`
	// New is false if the registry had the same signature already.
	New bool `json:"new"`
}

// Sign signs what ref stands for at this moment and pushes the signatures to
// its registry; mirrors are not asked. Signatures that are already there stay.
// Two that sign the same image at the same time can overwrite each other's
// tag: registries have no locks.
//
// Errors wrap ErrReference for options that make no sense, else the same
// sentinels as those of Fetch.
func Sign(ctx context.Context, c *Client, ref Reference, key *PrivateKey, o SignOptions) ([]Signature, error) {
	s, err := newSigner(c, ref, key, o)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	targets, err := s.targets(ctx, ref, o.Recursive)
	if err != nil {
		return nil, fmt.Errorf("sign: %s: %w", ref, err)
	}
	var out []Signature
	for _, target := range targets {
		for _, format := range s.formats {
			push := s.pushTag
			if format == FormatBundle {
				push = s.pushBundle
			}
			fresh, err := push(ctx, target)
			if err != nil {
				return out, fmt.Errorf("sign: %s: %s as %s: %w", ref, target.Digest, format, err)
			}
			out = append(out, Signature{target.Digest, format, key.Public().ID(), fresh})
		}
	}
	return out, nil
}

// signer is one call of Sign.
type signer struct {
	client      *Client
	at          endpoint
	key         *PrivateKey
	formats     []string
	identity    string
	annotations map[string]string
}

func newSigner(c *Client, ref Reference, key *PrivateKey, o SignOptions) (*signer, error) {
	if ref.IsZero() {
		return nil, fmt.Errorf("%w: empty", ErrReference)
	}
	if c == nil || key == nil {
		return nil, fmt.Errorf("%w: expected a client and a key", ErrKey)
	}
	s := &signer{client: c, at: endpoint{ref.host, ref.path}, key: key, identity: o.Identity}
	switch o.Formats {
	case "", FormatBoth:
		s.formats = []string{FormatTag, FormatBundle}
	case FormatTag, FormatBundle:
		s.formats = []string{o.Formats}
	default:
		return nil, fmt.Errorf("%w: format %q: expected %s, %s or %s", ErrReference, clip(o.Formats), FormatTag, FormatBundle, FormatBoth)
	}
	if s.identity == "" {
		s.identity = ref.String()
		if ref.tag != "" { // the digest is signed anyway
			s.identity = ref.Repository() + ":" + ref.tag
		}
	}
	if n, err := splitName(s.identity); err != nil || n.host == "" {
		return nil, fmt.Errorf("%w: identity %q: expected host/repository with or without tag", ErrReference, clip(s.identity))
	}
	s.annotations = maps.Clone(o.Annotations)
	if s.annotations == nil {
		s.annotations = map[string]string{}
	}
	if _, ok := s.annotations[annotationRef]; !ok {
		s.annotations[annotationRef] = s.identity
	}
	// What Verify would refuse must not be signed.
	probe := opened{claim: claim{annotations: s.annotations}}
	if err := (&Policy{boot: defaultBootPolicy()}).checkFloors(&probe, VerifyOptions{}); err != nil {
		return nil, fmt.Errorf("%w: annotations: %w", ErrReference, err)
	}
	if _, err := parseSigned(s.annotations[annotationRef]); err != nil {
		return nil, fmt.Errorf("%w: annotation ref: %w", ErrReference, err)
	}
	return s, nil
}

// targets lists what is to be signed: what ref stands for, and the instances
// of an index if they are wanted.
func (s *signer) targets(ctx context.Context, ref Reference, recursive bool) ([]descriptor, error) {
	name := string(ref.digest)
	if name == "" {
		name = ref.tag
	}
	top, err := s.client.manifest(ctx, s.at, name, ref.digest)
	if err != nil {
		return nil, err
	}
	out := []descriptor{{MediaType: top.mediaType, Digest: top.digest, Size: int64(len(top.raw))}}
	if recursive {
		for _, m := range top.Manifests {
			if slices.Contains(manifestTypes(), m.MediaType) {
				out = append(out, descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size})
			}
		}
	}
	return out, nil
}

// manifestIfAny gets a manifest that may be missing.
func (s *signer) manifestIfAny(ctx context.Context, tag string) (doc document, found bool, err error) {
	doc, err = s.client.manifest(ctx, s.at, tag, "")
	if errors.Is(err, ErrNotFound) {
		return doc, false, nil
	}
	return doc, err == nil, err
}
