package oci

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/slipway-boot/slipway/internal/strictjson"
)

// The two formats of a signature.
const (
	// FormatTag is cosign's "simple signing" payload at the tag
	// sha256-<hex>.sig.
	FormatTag = "tag"
	// FormatBundle is a sigstore bundle v0.3 that refers to the image.
	FormatBundle = "bundle"
)

// Ceilings of one signature.
const (
	maxPayload = 64 << 10
	maxBundle  = 1 << 20
)

// What the formats are called in their documents.
const (
	simpleSigningType    = "cosign container image signature"
	simpleSigningMedia   = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation  = "dev.cosignproject.cosign/signature"
	bundleMedia          = "application/vnd.dev.sigstore.bundle.v0.3+json"
	statementPayloadType = "application/vnd.in-toto+json"
	statementType        = "https://in-toto.io/Statement/v1"
	signPredicateType    = "https://sigstore.dev/cosign/sign/v1"
	annotationEpoch      = "epoch"
	annotationExpires    = "expires"
	annotationRef        = "ref"
	noteTransparencyLog  = "transparency log entry not checked"
	noteTimestamp        = "timestamp not checked"
	noteExpiry           = "expiry not checked: the clock is not trusted"
	noteIdentityWaived   = "the bundle names no image, waived by the policy"
	noteUnsigned         = "the policy takes unsigned images here"
)

// signature is one signature as found, nothing about it checked but that its
// bytes are those its manifest names.
type signature struct {
	format string
	source string // where it was found
	signed Digest // what it was found for
	body   []byte // the payload, or the bundle
	sig    string // base64, for FormatTag only
}

// claim is what the signed bytes say.
type claim struct {
	digest      string
	name        string // "" for a bundle without ref
	annotations map[string]string
	notes       []string // what was ignored
}

// open finds the key of keys that made the signature and then, and only then,
// reads what was signed. Errors wrap ErrBadSignature; the key is set if the
// signature itself is good.
func (s signature) open(keys []*PublicKey) (*PublicKey, claim, error) {
	var key *PublicKey
	var c claim
	var err error
	if s.format == FormatBundle {
		key, c, err = openBundle(s.body, keys)
	} else {
		key, c, err = openPayload(s.body, s.sig, keys)
	}
	if err == nil && c.digest != string(s.signed) {
		err = fmt.Errorf("expected %s, it is for %s", s.signed, clip(c.digest))
	}
	if err != nil {
		return key, c, fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	return key, c, nil
}

var errNoKey = errors.New("not made by a key of the policy")

// madeBy returns the key of keys under which sig is good.
func madeBy(keys []*PublicKey, message, sig []byte) (*PublicKey, error) {
	for _, k := range keys {
		if k.verify(message, sig) {
			return k, nil
		}
	}
	return nil, errNoKey
}

// simpleSigning is the payload of FormatTag. podman writes it too.
type simpleSigning struct {
	Critical struct {
		Identity struct {
			DockerReference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]any `json:"optional"`
}

func openPayload(payload []byte, sig string, keys []*PublicKey) (*PublicKey, claim, error) {
	if len(payload) > maxPayload {
		return nil, claim{}, fmt.Errorf("%w: expected a payload of at most %d bytes, got %d", ErrTooLarge, maxPayload, len(payload))
	}
	raw, err := decodeBase64(sig)
	if err != nil {
		return nil, claim{}, err
	}
	key, err := madeBy(keys, payload, raw)
	if err != nil {
		return nil, claim{}, err
	}
	c, err := parsePayload(payload)
	return key, c, err
}

func parsePayload(payload []byte) (claim, error) {
	var p simpleSigning
	if err := strictjson.Decode(payload, &p, strictjson.Options{MaxBytes: maxPayload}); err != nil {
		return claim{}, fmt.Errorf("payload: %w", err)
	}
	if p.Critical.Type != simpleSigningType {
		return claim{}, fmt.Errorf("payload: expected type %q, got %q", simpleSigningType, clip(p.Critical.Type))
	}
	return claim{
		digest:      p.Critical.Image.Digest,
		name:        p.Critical.Identity.DockerReference,
		annotations: annotations(p.Optional),
	}, nil
}

// annotations keeps the texts and numbers; podman writes a number too.
func annotations(all map[string]any) map[string]string {
	out := map[string]string{}
	for k, v := range all {
		switch v := v.(type) {
		case string:
			out[k] = v
		case json.Number:
			out[k] = v.String()
		}
	}
	return out
}
