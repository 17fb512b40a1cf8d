package oci

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Ceilings of one place where signatures are looked for. They are for each
// place, so that a full one cannot crowd out another.
const (
	maxSignatures     = 64
	maxSignatureBytes = 4 << 20
)

// collect looks for signatures of s everywhere they may be and keeps the
// union. A place that fails is reported and hides no other.
func (c *Client) collect(ctx context.Context, s *Signed) {
	serving, origin := s.sources[0], endpoint{s.ref.host, s.ref.path}
	searches := c.searches(s, serving)
	var waiting sync.WaitGroup
	for _, one := range searches {
		waiting.Go(func() { one.run(ctx) })
	}
	if origin != serving {
		ctx, cancel := context.WithTimeout(ctx, originTimeout)
		defer cancel()
		for _, one := range c.searches(s, origin) {
			searches = append(searches, one)
			waiting.Go(func() { one.run(ctx) })
		}
	}
	waiting.Wait()
	var bytes int64
	for _, one := range searches {
		for _, sig := range one.found {
			if !slices.ContainsFunc(s.signatures, sig.same) {
				s.signatures = append(s.signatures, sig)
				bytes += int64(len(sig.body))
			}
		}
		s.problems = append(s.problems, one.problems...)
	}
	c.progress("signatures", bytes, bytes)
}

// same reports whether s and o are one signature found twice.
func (s signature) same(o signature) bool {
	return s.format == o.format && s.signed == o.signed && s.sig == o.sig && string(s.body) == string(o.body)
}

// searches lists the places at e for both digests of s.
func (c *Client) searches(s *Signed, e endpoint) []*search {
	digests := []Digest{s.top}
	if s.instance != s.top {
		digests = append(digests, s.instance)
	}
	var out []*search
	for _, d := range digests {
		for _, k := range []struct {
			kind string
			read func(*search, context.Context) error
		}{
			{"signature tag", (*search).tag},
			{"referrers", (*search).referrers},
			{"referrers tag", (*search).fallback},
		} {
			out = append(out, &search{client: c, kind: k.kind, at: e, signed: d, read: k.read, left: maxSignatureBytes})
		}
	}
	return out
}

// search is the work on one place where signatures for one digest may be, and
// what it found.
type search struct {
	client *Client
	kind   string
	at     endpoint
	signed Digest
	read   func(*search, context.Context) error

	found    []signature
	problems []Finding
	left     int64 // bytes that may still be read
}

// run reads the place. Not having anything is no problem.
func (s *search) run(ctx context.Context) {
	if err := s.read(s, ctx); err != nil && !errors.Is(err, ErrNotFound) {
		s.problem("", err)
	}
}

func (s *search) source(part string) string {
	text := fmt.Sprintf("%s for %s at %s", s.kind, s.signed, s.at)
	if part != "" {
		text += ", " + part
	}
	return text
}

func (s *search) problem(part string, err error) {
	s.problems = append(s.problems, Finding{Source: s.source(part), Signed: s.signed, Reason: err.Error(), err: err})
}

// tag reads cosign's tag, a manifest with one layer for each signature.
func (s *search) tag(ctx context.Context) error {
	m, err := s.client.manifest(ctx, s.at, tagOf(s.signed)+".sig", "")
	if err != nil {
		return err
	}
	blobs := map[Digest][]byte{} // signatures by several keys share a payload
	for i, l := range s.first(m.Layers, "signatures") {
		part := fmt.Sprintf("signature %d", i+1)
		if err := s.layer(ctx, part, l, blobs); err != nil {
			s.problem(part, err)
		}
	}
	return nil
}

func (s *search) layer(ctx context.Context, part string, l descriptor, blobs map[Digest][]byte) error {
	sig, ok := l.Annotations[signatureAnnotation]
	if l.MediaType != simpleSigningMedia || !ok {
		return fmt.Errorf("%w: expected a layer of type %s with its signature, got %s", ErrBadSignature, simpleSigningMedia, clip(l.MediaType))
	}
	body, ok := blobs[l.Digest]
	if !ok {
		var err error
		if body, err = s.blob(ctx, l, maxPayload); err != nil {
			return err
		}
		blobs[l.Digest] = body
	}
	s.found = append(s.found, signature{FormatTag, s.source(part), s.signed, body, sig})
	return nil
}

// blob gets one payload or bundle within the place's allowance.
func (s *search) blob(ctx context.Context, d descriptor, limit int64) ([]byte, error) {
	if d.Size > s.left {
		return nil, fmt.Errorf("%w: expected at most %d bytes of signatures in one place", ErrTooLarge, maxSignatureBytes)
	}
	body, err := s.client.document(ctx, s.at, d, limit)
	s.left -= int64(len(body))
	return body, err
}

// first cuts a list at the ceiling and says so.
func (s *search) first(list []descriptor, what string) []descriptor {
	if len(list) > maxSignatures {
		s.problem("", fmt.Errorf("%w: it lists %d %s, looked at the first %d", ErrTooLarge, len(list), what, maxSignatures))
		return list[:maxSignatures]
	}
	return list
}

// tagOf returns the tag under which things that belong to d are kept.
func tagOf(d Digest) string { return "sha256-" + d.Hex() }
