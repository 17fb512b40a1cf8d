package oci

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Annotations of a referrer that holds a bundle, as cosign sets them.
const (
	bundleContentAnnotation   = "dev.sigstore.bundle.content"
	bundleContent             = "dsse-envelope"
	bundlePredicateAnnotation = "dev.sigstore.bundle.predicateType"
)

// emptyJSON is the config of a manifest that needs none.
const emptyJSON = "{}"

// pushBundle adds a referrer with the signature as a bundle, unless one with
// the same content by the same key is there.
func (s *signer) pushBundle(ctx context.Context, target descriptor) (fresh bool, err error) {
	if has, err := s.hasBundle(ctx, target.Digest); has || err != nil {
		return false, err
	}
	bundle, err := s.bundle(target.Digest)
	if err != nil {
		return false, err
	}
	for _, blob := range [][]byte{[]byte(emptyJSON), bundle} {
		if err := s.pushBlob(ctx, blob); err != nil {
			return false, err
		}
	}
	notes := map[string]string{bundleContentAnnotation: bundleContent, bundlePredicateAnnotation: signPredicateType}
	body, err := json.Marshal(manifest{
		SchemaVersion: 2,
		MediaType:     string(types.OCIManifestSchema1),
		ArtifactType:  bundleMedia,
		Config:        &descriptor{MediaType: string(types.OCIEmptyJSON), Digest: sha256Of([]byte(emptyJSON)), Size: int64(len(emptyJSON))},
		Layers:        []descriptor{{MediaType: bundleMedia, Digest: sha256Of(bundle), Size: int64(len(bundle))}},
		Subject:       &target,
		Annotations:   notes,
	})
	if err != nil {
		return false, err
	}
	if err := s.pushManifest(ctx, string(sha256Of(body)), string(types.OCIManifestSchema1), body); err != nil {
		return false, err
	}
	if s.listed(ctx, target.Digest, sha256Of(body)) {
		return true, nil
	}
	return true, s.pushFallback(ctx, target.Digest, descriptor{
		MediaType: string(types.OCIManifestSchema1), Digest: sha256Of(body), Size: int64(len(body)),
		ArtifactType: bundleMedia, Annotations: notes,
	})
}

// bundle makes the signed bundle for d.
func (s *signer) bundle(d Digest) ([]byte, error) {
	notes := map[string]any{}
	for k, v := range s.annotations {
		notes[k] = v
	}
	payload, err := json.Marshal(struct {
		statement
		Predicate struct{} `json:"predicate"` // in place of the statement's
	}{statement: statement{
		Type:          statementType,
		Subject:       []subject{{Digest: map[string]any{"sha256": d.Hex()}, Annotations: notes}},
		PredicateType: signPredicateType,
	}})
	if err != nil {
		return nil, err
	}
	sig, err := s.key.sign(preAuth(payload))
	if err != nil {
		return nil, err
	}
	id, err := hex.DecodeString(s.key.public.id)
	if err != nil {
		return nil, err
	}
	var b bundle
	b.MediaType = bundleMedia
	b.Material.PublicKey = &bundleKey{Hint: base64.StdEncoding.EncodeToString(id)}
	b.Envelope = &envelope{
		Payload:     base64.StdEncoding.EncodeToString(payload),
		PayloadType: statementPayloadType,
		Signatures:  []envelopeSign{{Sig: base64.StdEncoding.EncodeToString(sig)}},
	}
	body, err := json.Marshal(b)
	if err == nil && len(body) > maxBundle {
		err = fmt.Errorf("%w: expected a bundle of at most %d bytes, got %d", ErrTooLarge, maxBundle, len(body))
	}
	return body, err
}

// hasBundle reports whether this key's bundle with the same annotations is
// there already.
func (s *signer) hasBundle(ctx context.Context, d Digest) (bool, error) {
	for _, read := range []func(*search, context.Context) error{(*search).referrers, (*search).fallback} {
		place := &search{client: s.client, at: s.at, signed: d, left: maxSignatureBytes}
		if err := read(place, ctx); err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
		for _, sig := range place.found {
			_, c, err := sig.open([]*PublicKey{s.key.public})
			if err == nil && maps.Equal(c.annotations, s.annotations) {
				return true, nil
			}
		}
	}
	return false, nil
}

// listed reports whether the registry itself lists the referrer.
func (s *signer) listed(ctx context.Context, subject, referrer Digest) bool {
	list, err := s.client.listReferrers(ctx, s.at, subject)
	return err == nil && slices.ContainsFunc(list.Manifests, func(d descriptor) bool { return d.Digest == referrer })
}

// pushFallback adds the referrer to the index at the tag that stands in for
// the referrers endpoint.
func (s *signer) pushFallback(ctx context.Context, subject Digest, referrer descriptor) error {
	old, found, err := s.manifestIfAny(ctx, tagOf(subject))
	if err != nil {
		return fmt.Errorf("referrers tag: %w", err)
	}
	var list []json.RawMessage
	if found {
		if !old.isIndex() {
			return fmt.Errorf("referrers tag: %w: expected an index, got %s", ErrManifest, old.mediaType)
		}
		if slices.ContainsFunc(old.Manifests, func(d descriptor) bool { return d.Digest == referrer.Digest }) {
			return nil
		}
		if list, err = rawList(old.raw, "manifests"); err != nil {
			return fmt.Errorf("referrers tag: %w", err)
		}
	}
	own, err := json.Marshal(referrer)
	if err != nil {
		return err
	}
	body, err := json.Marshal(struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     types.MediaType   `json:"mediaType"`
		Manifests     []json.RawMessage `json:"manifests"`
	}{2, types.OCIImageIndex, append(list, own)})
	if err != nil {
		return err
	}
	if err := s.pushManifest(ctx, tagOf(subject), string(types.OCIImageIndex), body); err != nil {
		return fmt.Errorf("referrers tag: %w", err)
	}
	return nil
}
