package oci

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
)

// Ceilings of key files.
const (
	maxKeyFile = 64 << 10
	minRSA     = 2048
	maxRSA     = 4096
)

const publicKeyPEM = "PUBLIC KEY"

// PublicKey is a key that policies may name: ECDSA P-256 or RSA of 2048 to
// 4096 bits. Others are refused, because what cosign signs with them the
// tools cannot verify.
type PublicKey struct {
	id   string
	spki []byte
	key  crypto.PublicKey
}

// ParsePublicKey reads a file with one PUBLIC KEY block in PEM and nothing
// else. Errors wrap ErrKey.
func ParsePublicKey(data []byte) (*PublicKey, error) {
	block, err := onlyBlock(data)
	if err != nil {
		return nil, err
	}
	if strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, fmt.Errorf("%w: this is a private key (%s), expected the public key", ErrKey, block.Type)
	}
	if block.Type != publicKeyPEM || len(block.Headers) > 0 {
		return nil, fmt.Errorf("%w: expected a PEM block %s without headers, got %s", ErrKey, publicKeyPEM, clip(block.Type))
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return newPublicKey(key)
}

// onlyBlock decodes the one PEM block that data consists of.
func onlyBlock(data []byte) (*pem.Block, error) {
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("%w: expected at most %d bytes, got %d", ErrKey, maxKeyFile, len(data))
	}
	data = bytes.TrimSpace(data)
	block, rest := pem.Decode(data)
	if block == nil || !bytes.HasPrefix(data, []byte("-----BEGIN")) {
		return nil, fmt.Errorf("%w: expected one PEM block", ErrKey)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: expected one PEM block, got data after it", ErrKey)
	}
	return block, nil
}

// newPublicKey checks the type and computes the ID. The SPKI is encoded anew,
// so that one key cannot have two IDs.
func newPublicKey(key crypto.PublicKey) (*PublicKey, error) {
	const allowed = "expected ECDSA P-256 or RSA of 2048 to 4096 bits"
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, fmt.Errorf("%w: %s, got ECDSA %s", ErrKey, allowed, k.Curve.Params().Name)
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA || bits > maxRSA {
			return nil, fmt.Errorf("%w: %s, got RSA of %d bits", ErrKey, allowed, bits)
		}
	default:
		return nil, fmt.Errorf("%w: %s, got %T", ErrKey, allowed, key)
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	sum := sha256.Sum256(spki)
	return &PublicKey{hex.EncodeToString(sum[:]), spki, key}, nil
}

// ID returns the SHA-256 of the SPKI in DER, as hex.
func (k *PublicKey) ID() string { return k.id }

// PEM returns the key as a PUBLIC KEY block.
func (k *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: publicKeyPEM, Bytes: k.spki})
}

// verify reports whether sig is this key's signature of message: ECDSA in
// DER, RSA PKCS #1 v1.5, both over SHA-256.
func (k *PublicKey) verify(message, sig []byte) bool {
	sum := sha256.Sum256(message)
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum[:], sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil
	}
	return false
}
