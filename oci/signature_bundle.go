package oci

import (
	"errors"
	"fmt"

	"github.com/slipway-boot/slipway/internal/strictjson"
)

// bundle is a sigstore bundle v0.3.
type bundle struct {
	MediaType string `json:"mediaType"`
	Material  struct {
		PublicKey        *bundleKey         `json:"publicKey,omitempty"`
		Certificate      strictjson.Present `json:"certificate,omitempty"`
		CertificateChain strictjson.Present `json:"x509CertificateChain,omitempty"`
		TlogEntries      strictjson.Present `json:"tlogEntries,omitempty"`
		Timestamps       strictjson.Present `json:"timestampVerificationData,omitempty"`
	} `json:"verificationMaterial"`
	Envelope         *envelope          `json:"dsseEnvelope,omitempty"`
	MessageSignature strictjson.Present `json:"messageSignature,omitempty"`
}

// bundleKey is a hint which key it was; it is never a reason to trust.
type bundleKey struct {
	Hint string `json:"hint,omitempty"`
}

type envelope struct {
	Payload     string         `json:"payload"`
	PayloadType string         `json:"payloadType"`
	Signatures  []envelopeSign `json:"signatures"`
}

type envelopeSign struct {
	Sig   string `json:"sig"`
	KeyID string `json:"keyid,omitempty"`
}

// statement is an in-toto Statement v1 with cosign's predicate for plain
// signatures, which is empty.
type statement struct {
	Type          string             `json:"_type"`
	Subject       []subject          `json:"subject"`
	PredicateType string             `json:"predicateType"`
	Predicate     strictjson.Present `json:"predicate,omitempty"`
}

type subject struct {
	Name        string         `json:"name,omitempty"`
	Digest      map[string]any `json:"digest"`
	Annotations map[string]any `json:"annotations,omitempty"`
}

// preAuth is DSSE's pre-authentication encoding: what is signed.
func preAuth(payload []byte) []byte {
	head := fmt.Sprintf("DSSEv1 %d %s %d ", len(statementPayloadType), statementPayloadType, len(payload))
	return append([]byte(head), payload...)
}

func openBundle(data []byte, keys []*PublicKey) (*PublicKey, claim, error) {
	b, err := parseBundle(data)
	if err != nil {
		return nil, claim{}, fmt.Errorf("bundle: %w", err)
	}
	payload, err := decodeBase64(b.Envelope.Payload)
	if err != nil {
		return nil, claim{}, fmt.Errorf("bundle: payload: %w", err)
	}
	sig, err := decodeBase64(b.Envelope.Signatures[0].Sig)
	if err != nil {
		return nil, claim{}, fmt.Errorf("bundle: signature: %w", err)
	}
	key, err := madeBy(keys, preAuth(payload), sig)
	if err != nil {
		return nil, claim{}, err
	}
	c, err := parseStatement(payload)
	if err != nil {
		return key, claim{}, fmt.Errorf("statement: %w", err)
	}
	if b.Material.TlogEntries {
		c.notes = append(c.notes, noteTransparencyLog)
	}
	if b.Material.Timestamps {
		c.notes = append(c.notes, noteTimestamp)
	}
	return key, c, nil
}

func parseBundle(data []byte) (bundle, error) {
	var b bundle
	if err := strictjson.Decode(data, &b, strictjson.Options{MaxBytes: maxBundle}); err != nil {
		return b, err
	}
	switch {
	case b.MediaType != bundleMedia:
		return b, fmt.Errorf("expected media type %s, got %q", bundleMedia, clip(b.MediaType))
	case bool(b.Material.Certificate || b.Material.CertificateChain):
		return b, errors.New("it holds a certificate, expected a signature by key")
	case b.Material.PublicKey == nil:
		return b, errors.New("it names no public key")
	case b.Envelope == nil || bool(b.MessageSignature):
		return b, errors.New("expected a DSSE envelope and nothing else")
	case b.Envelope.PayloadType != statementPayloadType:
		return b, fmt.Errorf("expected payload type %s, got %q", statementPayloadType, clip(b.Envelope.PayloadType))
	case len(b.Envelope.Signatures) != 1:
		return b, fmt.Errorf("expected one signature, got %d", len(b.Envelope.Signatures))
	}
	return b, nil
}

func parseStatement(payload []byte) (claim, error) {
	var s statement
	if err := strictjson.Decode(payload, &s, strictjson.Options{MaxBytes: maxBundle}); err != nil {
		return claim{}, err
	}
	switch {
	case s.PredicateType != signPredicateType:
		return claim{}, fmt.Errorf("it is no signature: expected predicate type %s, got %q", signPredicateType, clip(s.PredicateType))
	case s.Type != statementType:
		return claim{}, fmt.Errorf("expected type %s, got %q", statementType, clip(s.Type))
	case len(s.Subject) != 1:
		return claim{}, fmt.Errorf("expected one subject, got %d", len(s.Subject))
	}
	only := s.Subject[0]
	hex, ok := only.Digest["sha256"].(string)
	if !ok || len(only.Digest) != 1 {
		return claim{}, errors.New("expected one digest, sha256")
	}
	notes := annotations(only.Annotations)
	return claim{digest: sha256Prefix + hex, name: notes[annotationRef], annotations: notes}, nil
}
