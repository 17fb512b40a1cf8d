package oci

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// VerifyOptions are the facts of the machine that Verify needs.
type VerifyOptions struct {
	// Now is the time for expiry; it is used only if ClockTrusted.
	Now time.Time
	// ClockTrusted says that Now is not earlier than the payload's build.
	ClockTrusted bool
	// Epoch is the stored floor; the policy's own floor counts as well.
	Epoch uint64
}

// Image is a verified image. Only Policy.Verify makes a usable one; the zero
// value is refused.
type Image struct {
	ref           Reference
	top, instance Digest
	arch          string
	labels        map[string]string
	layers        []Layer
	signers       []Signer
	findings      []Finding
}

// Layer is one layer, as the verified manifest and config name it.
type Layer struct {
	// Digest and Size are those of the compressed blob, DiffID that of the
	// tar inside.
	Digest, DiffID Digest
	Size           int64
	MediaType      string
}

// Signer is a signature that counted.
type Signer struct {
	// KeyID is the SHA-256 of the public key's SPKI in DER, as hex.
	KeyID string
	// Format is "tag" (simple signing at the .sig tag) or "bundle".
	Format string
	// Signed is the digest that was signed: the top manifest or the instance.
	Signed Digest
	// Annotations are the signed ones, such as epoch, expires and ref.
	Annotations map[string]string
}

// Finding is one signature, or one place to look for them, and its verdict.
type Finding struct {
	// Source says where it was found.
	Source string
	// Format is "tag", "bundle" or "" for a place.
	Format string
	// KeyID is the key under which the signature is good, "" if none.
	KeyID string
	// Signed is the digest it was found for.
	Signed Digest
	// Counted tells whether the signature counts for the policy.
	Counted bool
	// Reason says why not, or what was not checked.
	Reason string
}

// Reference returns what was asked for: the logical name, not a mirror's.
func (i *Image) Reference() Reference { return i.ref }

// Digest returns the digest of the top manifest or index.
func (i *Image) Digest() Digest { return i.top }

// Instance returns the digest of the platform's manifest; the same as Digest
// for an image without index.
func (i *Image) Instance() Digest { return i.instance }

// Arch returns the architecture in Go's spelling.
func (i *Image) Arch() string { return i.arch }

// Labels returns the config's labels.
func (i *Image) Labels() map[string]string { return maps.Clone(i.labels) }

// Layers returns the layers, lowest first.
func (i *Image) Layers() []Layer { return slices.Clone(i.layers) }

// Signers returns the signatures that counted.
func (i *Image) Signers() []Signer { return slices.Clone(i.signers) }

// Findings returns every signature looked at, with its verdict.
func (i *Image) Findings() []Finding { return slices.Clone(i.findings) }

// Verify checks s against the policy.
func (p *Policy) Verify(s *Signed, o VerifyOptions) (*Image, error) {
	return nil, errors.New("verify: not built yet")
}
