package oci

import (
	"maps"
	"slices"
	"strconv"
)

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
	sources       []endpoint
}

// Layer is one layer, as the verified manifest and config name it.
type Layer struct {
	// Digest and Size are those of the compressed blob, DiffID that of the
	// tar inside.
	Digest    Digest `json:"digest"`
	DiffID    Digest `json:"diff_id"`
	Size      int64  `json:"size"`
	MediaType string `json:"media_type"`
}

// newImage is called by Verify only.
func newImage(s *Signed, v verdict) *Image {
	img := &Image{
		ref: s.ref, top: s.top, instance: s.instance, arch: s.config.Architecture,
		signers: v.signers, findings: v.findings, sources: s.sources,
	}
	if s.config.Config != nil {
		img.labels = s.config.Config.Labels
	}
	for i, l := range s.manifest.Layers {
		img.layers = append(img.layers, Layer{l.Digest, s.config.RootFS.DiffIDs[i], l.Size, l.MediaType})
	}
	return img
}

// IsZero reports whether i is not usable: it did not come from Verify.
func (i *Image) IsZero() bool { return i == nil || i.top == "" }

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

// Signers returns the signatures that counted; none where the policy takes
// unsigned images.
func (i *Image) Signers() []Signer { return slices.Clone(i.signers) }

// Findings returns every signature looked at, with its verdict.
func (i *Image) Findings() []Finding { return slices.Clone(i.findings) }

// Epoch returns the lowest epoch among the signatures that counted: the floor
// under which this image still verifies. It is 0 if one of them has none.
func (i *Image) Epoch() uint64 {
	var lowest uint64
	for n, s := range i.signers {
		epoch, err := strconv.ParseUint(s.Annotations[annotationEpoch], 10, 64)
		if err != nil {
			return 0
		}
		if n == 0 || epoch < lowest {
			lowest = epoch
		}
	}
	return lowest
}
