package oci

import (
	"crypto"
	"errors"
)

// PublicKey is a key that policies may name: ECDSA P-256 or RSA of 2048 to
// 4096 bits.
type PublicKey struct {
	id  string
	key crypto.PublicKey
}

// ID returns the SHA-256 of the SPKI in DER, as hex.
func (k *PublicKey) ID() string { return k.id }

// PEM returns the key as a PUBLIC KEY block.
func (k *PublicKey) PEM() []byte { return nil }

// PrivateKey signs.
type PrivateKey struct {
	signer crypto.Signer
	public *PublicKey
}

// Public returns the public half.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// GenerateKey makes a new P-256 key.
func GenerateKey() (*PrivateKey, error) { return nil, errors.New("keys: not built yet") }

// WriteKeyPair writes prefix.key (mode 0600, encrypted under password, in
// cosign's format) and prefix.pub. Neither is ever overwritten.
func WriteKeyPair(prefix string, key *PrivateKey, password []byte) error {
	return errors.New("keys: not built yet")
}

// LoadPrivate reads a private key file of cosign.
func LoadPrivate(path string, password []byte) (*PrivateKey, error) {
	return nil, errors.New("keys: not built yet")
}

// ParsePublicKey reads one PEM PUBLIC KEY.
func ParsePublicKey(pem []byte) (*PublicKey, error) { return nil, errors.New("keys: not built yet") }
