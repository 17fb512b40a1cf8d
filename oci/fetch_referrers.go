package oci

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// referrers asks the registry what refers to the digest.
func (s *search) referrers(ctx context.Context) error {
	list, err := s.client.listReferrers(ctx, s.at, s.signed)
	if err != nil {
		return err
	}
	if list.more {
		s.problem("", fmt.Errorf("%w: the list has more pages, looked at the first", ErrTooLarge))
	}
	return s.bundles(ctx, list.Manifests)
}

// referrersList is the answer of the referrers endpoint.
type referrersList struct {
	document
	more bool // there are further pages
}

// listReferrers gets the first page of what refers to d.
func (c *Client) listReferrers(ctx context.Context, e endpoint, d Digest) (referrersList, error) {
	header := http.Header{"Accept": {string(types.OCIImageIndex)}}
	raw, got, err := c.small(ctx, e, call{path: "referrers/" + string(d), header: header}, maxManifest)
	if err != nil {
		return referrersList{}, err
	}
	doc, err := newDocument(raw, got.Get("Content-Type"))
	if err == nil && !doc.isIndex() {
		err = fmt.Errorf("%w: expected an index, got %s", ErrManifest, doc.mediaType)
	}
	return referrersList{doc, got.Get("Link") != ""}, err
}

// fallback reads the tag that stands in for the referrers endpoint where a
// registry has none.
func (s *search) fallback(ctx context.Context) error {
	list, err := s.client.manifest(ctx, s.at, tagOf(s.signed), "")
	if err != nil {
		return err
	}
	if !list.isIndex() {
		return fmt.Errorf("%w: expected an index, got %s", ErrManifest, list.mediaType)
	}
	return s.bundles(ctx, list.Manifests)
}

// bundles gets the bundles in a list of referrers. The artifact type in such
// a list is often wrong, so it decides only who comes first.
func (s *search) bundles(ctx context.Context, list []descriptor) error {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b descriptor) int { return unlikely(a) - unlikely(b) })
	for _, d := range s.first(list, "referrers") {
		part := "referrer " + string(d.Digest)
		if err := s.bundle(ctx, part, d); err != nil {
			s.problem(part, err)
		}
	}
	return nil
}

// unlikely is 0 for a descriptor that calls itself a bundle.
func unlikely(d descriptor) int {
	if d.ArtifactType == bundleMedia {
		return 0
	}
	return 1
}

// bundle gets one referrer. Something else than a bundle, such as a bill of
// materials, is passed over in silence.
func (s *search) bundle(ctx context.Context, part string, d descriptor) error {
	m, err := s.client.manifest(ctx, s.at, string(d.Digest), d.Digest)
	if err != nil {
		return err
	}
	if m.Subject == nil || m.Subject.Digest != s.signed {
		return fmt.Errorf("%w: it does not refer to %s", ErrManifest, s.signed)
	}
	if len(m.Layers) != 1 || m.Layers[0].MediaType != bundleMedia {
		return nil
	}
	body, err := s.blob(ctx, m.Layers[0], maxBundle)
	if err != nil {
		return err
	}
	s.found = append(s.found, signature{format: FormatBundle, source: s.source(part), signed: s.signed, body: body})
	return nil
}
