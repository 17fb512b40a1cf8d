package oci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// pushTag adds a layer with the signature to the manifest at cosign's tag,
// unless one with the same content by the same key is there.
func (s *signer) pushTag(ctx context.Context, target descriptor) (fresh bool, err error) {
	payload, err := s.payload(target.Digest)
	if err != nil {
		return false, err
	}
	layer := descriptor{MediaType: simpleSigningMedia, Digest: sha256Of(payload), Size: int64(len(payload))}
	tag := tagOf(target.Digest) + ".sig"
	old, found, err := s.manifestIfAny(ctx, tag)
	if err != nil {
		return false, err
	}
	var layers []json.RawMessage
	if found {
		if s.hasLayer(old.Layers, layer, payload) {
			return false, nil
		}
		if layers, err = rawList(old.raw, "layers"); err != nil {
			return false, err
		}
	}
	if len(layers) >= maxSignatures {
		return false, fmt.Errorf("%w: %s has %d signatures already", ErrTooLarge, tag, len(layers))
	}
	sig, err := s.key.sign(payload)
	if err != nil {
		return false, err
	}
	layer.Annotations = map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(sig)}
	own, err := json.Marshal(layer)
	if err != nil {
		return false, err
	}
	if err := s.pushBlob(ctx, payload); err != nil {
		return false, err
	}
	return true, s.pushTagManifest(ctx, tag, append(layers, own), append(old.Layers, layer))
}

// payload makes the bytes that are signed, spelled as cosign does.
func (s *signer) payload(d Digest) ([]byte, error) {
	var p simpleSigning
	p.Critical.Identity.DockerReference = s.identity
	p.Critical.Image.Digest = string(d)
	p.Critical.Type = simpleSigningType
	p.Optional = map[string]any{}
	for k, v := range s.annotations {
		p.Optional[k] = v
	}
	payload, err := json.Marshal(p)
	if err == nil && len(payload) > maxPayload {
		err = fmt.Errorf("%w: expected a payload of at most %d bytes, got %d", ErrTooLarge, maxPayload, len(payload))
	}
	return payload, err
}

// hasLayer reports whether one of layers is this key's signature of payload.
func (s *signer) hasLayer(layers []descriptor, want descriptor, payload []byte) bool {
	for _, l := range layers {
		sig, err := decodeBase64(l.Annotations[signatureAnnotation])
		if l.MediaType == want.MediaType && l.Digest == want.Digest && err == nil && s.key.public.verify(payload, sig) {
			return true
		}
	}
	return false
}

// pushTagManifest writes the manifest with raw layers. Its config is the
// empty image that cosign makes, with one diff ID for each layer.
func (s *signer) pushTagManifest(ctx context.Context, tag string, raw []json.RawMessage, layers []descriptor) error {
	var config struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		RootFS       struct {
			Type    string   `json:"type"`
			DiffIDs []Digest `json:"diff_ids"`
		} `json:"rootfs"`
		Config struct{} `json:"config"`
	}
	config.RootFS.Type = "layers"
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.Digest)
	}
	configJSON, err := json.Marshal(config)
	if err != nil {
		return err
	}
	if err := s.pushBlob(ctx, configJSON); err != nil {
		return err
	}
	body, err := json.Marshal(struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     types.MediaType   `json:"mediaType"`
		Config        descriptor        `json:"config"`
		Layers        []json.RawMessage `json:"layers"`
	}{
		2, types.OCIManifestSchema1,
		descriptor{MediaType: string(types.OCIConfigJSON), Digest: sha256Of(configJSON), Size: int64(len(configJSON))},
		raw,
	})
	if err != nil {
		return err
	}
	return s.pushManifest(ctx, tag, string(types.OCIManifestSchema1), body)
}

// rawList returns the elements of a list in a document byte by byte, so that
// what others wrote into them is kept.
func rawList(document []byte, key string) ([]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(document, &all); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	var list []json.RawMessage
	if raw, ok := all[key]; ok {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrManifest, key, err)
		}
	}
	return list, nil
}
