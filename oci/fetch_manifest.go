package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/slipway-boot/slipway/internal/strictjson"
)

// Ceilings of an image's documents.
const (
	maxManifest  = 4 << 20
	maxConfig    = 4 << 20
	maxLayers    = 1024
	maxLayerSize = 64 << 30
)

// imageOS is the only operating system that boots here.
const imageOS = "linux"

// descriptor names a blob or a manifest.
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       Digest            `json:"digest"`
	Size         int64             `json:"size"`
	Platform     *platform         `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture,omitempty"`
	OS           string `json:"os,omitempty"`
	Variant      string `json:"variant,omitempty"`
}

// manifest is an image manifest or an index, of OCI or Docker. The last two
// keys are those of a format from before, which no document here may have.
type manifest struct {
	SchemaVersion int                `json:"schemaVersion"`
	MediaType     string             `json:"mediaType,omitempty"`
	ArtifactType  string             `json:"artifactType,omitempty"`
	Config        *descriptor        `json:"config,omitempty"`
	Layers        []descriptor       `json:"layers,omitempty"`
	Manifests     []descriptor       `json:"manifests,omitempty"`
	Subject       *descriptor        `json:"subject,omitempty"`
	Annotations   map[string]string  `json:"annotations,omitempty"`
	FSLayers      strictjson.Present `json:"fsLayers,omitempty"`
	History       strictjson.Present `json:"history,omitempty"`
}

// document is a manifest as fetched, with its exact bytes.
type document struct {
	manifest
	raw       []byte
	digest    Digest
	mediaType string
}

// manifest gets the manifest called name, a tag or a digest. If want is not
// empty, the bytes must have that digest.
func (c *Client) manifest(ctx context.Context, e endpoint, name string, want Digest) (document, error) {
	header := http.Header{"Accept": {strings.Join(manifestTypes(), ", ")}}
	raw, got, err := c.small(ctx, e, call{path: "manifests/" + name, header: header}, maxManifest)
	if err != nil {
		return document{}, err
	}
	if got := sha256Of(raw); want != "" && got != want {
		return document{}, fmt.Errorf("%w: expected %s, got %s", ErrDigestMismatch, want, got)
	}
	return newDocument(raw, got.Get("Content-Type"))
}

// newDocument reads a manifest that was served with contentType.
func newDocument(raw []byte, contentType string) (document, error) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return document{}, fmt.Errorf("%w: content type %q: %w", ErrManifest, clip(contentType), err)
	}
	m, err := parseManifest(raw, mediaType)
	if err != nil {
		return document{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return document{m, raw, sha256Of(raw), mediaType}, nil
}

// document gets the blob that d names and checks it, for blobs that are small
// enough to keep.
func (c *Client) document(ctx context.Context, e endpoint, d descriptor, limit int64) ([]byte, error) {
	if d.Size > limit {
		return nil, fmt.Errorf("%w: expected at most %d bytes, the descriptor says %d", ErrTooLarge, limit, d.Size)
	}
	raw, _, err := c.small(ctx, e, call{path: "blobs/" + string(d.Digest)}, d.Size)
	if err != nil {
		return nil, err
	}
	if got := sha256Of(raw); got != d.Digest || int64(len(raw)) != d.Size {
		return nil, fmt.Errorf("%w: expected %s (%d bytes), got %s (%d bytes)", ErrDigestMismatch, d.Digest, d.Size, got, len(raw))
	}
	return raw, nil
}

func sha256Of(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest(sha256Prefix + hex.EncodeToString(sum[:]))
}

// manifestTypes are the media types that are asked for and accepted.
func manifestTypes() []string {
	return []string{
		string(types.OCIManifestSchema1), string(types.OCIImageIndex),
		string(types.DockerManifestSchema2), string(types.DockerManifestList),
	}
}

// parseManifest reads a manifest that was served as mediaType, and refuses
// any that another reader could take for something else.
func parseManifest(raw []byte, mediaType string) (manifest, error) {
	var m manifest
	err := strictjson.Decode(raw, &m, strictjson.Options{MaxBytes: maxManifest, AllowUnknown: true})
	if err != nil {
		return m, err
	}
	if !slices.Contains(manifestTypes(), mediaType) {
		return m, fmt.Errorf("media type %q is no image manifest or index", clip(mediaType))
	}
	// OCI documents may leave their own type out.
	if m.MediaType != mediaType && (m.MediaType != "" || strings.Contains(mediaType, types.DockerVendorPrefix)) {
		return m, fmt.Errorf("served as %s, but calls itself %q", mediaType, clip(m.MediaType))
	}
	if m.SchemaVersion != 2 {
		return m, fmt.Errorf("expected schema version 2, got %d", m.SchemaVersion)
	}
	image := m.Config != nil || m.Layers != nil
	if image && m.Manifests != nil || bool(m.FSLayers || m.History) {
		return m, errors.New("ambiguous: it has the keys of more than one kind of manifest")
	}
	if types.MediaType(mediaType).IsIndex() {
		if image {
			return m, errors.New("an index with the keys of an image manifest")
		}
		return m, checkDescriptors(m.Manifests)
	}
	if m.Config == nil || m.Manifests != nil {
		return m, errors.New("an image manifest without config")
	}
	if len(m.Layers) > maxLayers {
		return m, fmt.Errorf("expected at most %d layers, got %d", maxLayers, len(m.Layers))
	}
	all := append([]descriptor{*m.Config}, m.Layers...)
	if m.Subject != nil {
		all = append(all, *m.Subject)
	}
	return m, checkDescriptors(all)
}

func checkDescriptors(list []descriptor) error {
	for _, d := range list {
		if _, err := ParseDigest(string(d.Digest)); err != nil {
			return fmt.Errorf("descriptor: %w", err)
		}
		if d.Size < 0 || d.Size > maxLayerSize {
			return fmt.Errorf("descriptor %s: expected a size from 0 to %d, got %d", d.Digest, int64(maxLayerSize), d.Size)
		}
	}
	return nil
}

func (d document) isIndex() bool { return types.MediaType(d.mediaType).IsIndex() }

// is checks that d is what its descriptor in an index promised.
func (d document) is(want descriptor) error {
	if d.mediaType != want.MediaType || int64(len(d.raw)) != want.Size {
		return fmt.Errorf("%w: the index promises %s of %d bytes, got %s of %d bytes",
			ErrManifest, clip(want.MediaType), want.Size, d.mediaType, len(d.raw))
	}
	return nil
}

// choose picks the instance for arch out of an index: the first without a
// CPU variant, else the first.
func (d document) choose(arch string) (descriptor, error) {
	var have []string
	chosen := -1
	for i, m := range d.Manifests {
		if m.Platform == nil {
			continue
		}
		if m.Platform.OS != imageOS || m.Platform.Architecture != arch {
			have = append(have, clip(m.Platform.OS+"/"+m.Platform.Architecture))
			continue
		}
		if m.Platform.Variant == "" {
			return m, nil
		}
		if chosen < 0 {
			chosen = i
		}
	}
	if chosen < 0 {
		const most = 8
		return descriptor{}, fmt.Errorf("%w: expected %s/%s, the index has %s",
			ErrArch, imageOS, arch, strings.Join(have[:min(len(have), most)], ", "))
	}
	return d.Manifests[chosen], nil
}
