package oci

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/slipway-boot/slipway/internal/strictjson"
	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/scrypt"
)

// The PEM types of cosign's private key files; the first is written.
const (
	privateKeyPEM    = "ENCRYPTED SIGSTORE PRIVATE KEY"
	oldPrivateKeyPEM = "ENCRYPTED COSIGN PRIVATE KEY"
)

// scrypt's cost: what cosign writes, and what is accepted (at most 256 MiB of
// memory). The other two parameters are always the same.
const (
	scryptN, scryptMinN, scryptMaxN = 1 << 16, 1 << 14, 1 << 18
	scryptR, scryptP                = 8, 1
	saltSize, nonceSize, boxKeySize = 32, 24, 32
)

// PrivateKey signs.
type PrivateKey struct {
	signer crypto.Signer
	public *PublicKey
}

// GenerateKey makes a new P-256 key.
func GenerateKey() (*PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return NewPrivateKey(key)
}

// NewPrivateKey wraps any signer, such as a hardware token's, whose public
// key is of a type that policies may name.
func NewPrivateKey(signer crypto.Signer) (*PrivateKey, error) {
	public, err := newPublicKey(signer.Public())
	if err != nil {
		return nil, err
	}
	return &PrivateKey{signer, public}, nil
}

// Public returns the public half.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// sign returns the signature of message as PublicKey.verify wants it, which
// is asked in the end: a signer from outside may be broken.
func (k *PrivateKey) sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	sig, err := k.signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if !k.public.verify(message, sig) {
		return nil, fmt.Errorf("%w: the signer's signature does not verify under its own public key", ErrKey)
	}
	return sig, nil
}

// boxed is the JSON inside the PEM block: the PKCS #8 key in a NaCl secret
// box, whose key is derived from the password.
type boxed struct {
	KDF struct {
		Name   string `json:"name"`
		Params struct {
			N int `json:"N"`
			R int `json:"r"`
			P int `json:"p"`
		} `json:"params"`
		Salt string `json:"salt"`
	} `json:"kdf"`
	Cipher struct {
		Name  string `json:"name"`
		Nonce string `json:"nonce"`
	} `json:"cipher"`
	Ciphertext string `json:"ciphertext"`
}

const (
	kdfName    = "scrypt"
	cipherName = "nacl/secretbox"
)

// EncryptPrivateKey returns key as a private key file of cosign, encrypted
// under password. A signer that does not give its key away is an error.
func EncryptPrivateKey(key *PrivateKey, password []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key.signer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	var nonce [nonceSize]byte
	rand.Read(nonce[:])
	secret, err := boxKey(password, salt, scryptN)
	if err != nil {
		return nil, err
	}
	var b boxed
	b.KDF.Name, b.Cipher.Name = kdfName, cipherName
	b.KDF.Params.N, b.KDF.Params.R, b.KDF.Params.P = scryptN, scryptR, scryptP
	b.KDF.Salt = base64.StdEncoding.EncodeToString(salt)
	b.Cipher.Nonce = base64.StdEncoding.EncodeToString(nonce[:])
	b.Ciphertext = base64.StdEncoding.EncodeToString(secretbox.Seal(nil, der, &nonce, secret))
	body, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateKeyPEM, Bytes: body}), nil
}

// ParsePrivateKey opens a private key file of cosign. Errors wrap ErrKey.
func ParsePrivateKey(data, password []byte) (*PrivateKey, error) {
	block, err := onlyBlock(data)
	if err != nil {
		return nil, err
	}
	if block.Type != privateKeyPEM && block.Type != oldPrivateKeyPEM {
		return nil, fmt.Errorf("%w: expected a PEM block %s, got %s", ErrKey, privateKeyPEM, clip(block.Type))
	}
	der, err := unbox(block.Bytes, password)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %T cannot sign", ErrKey, key)
	}
	return NewPrivateKey(signer)
}

func unbox(body, password []byte) ([]byte, error) {
	var b boxed
	if err := strictjson.Decode(body, &b, strictjson.Options{}); err != nil {
		return nil, err
	}
	if b.KDF.Name != kdfName || b.Cipher.Name != cipherName {
		return nil, fmt.Errorf("expected %s and %s, got %q and %q", kdfName, cipherName, clip(b.KDF.Name), clip(b.Cipher.Name))
	}
	p := b.KDF.Params
	if p.N < scryptMinN || p.N > scryptMaxN || p.N&(p.N-1) != 0 || p.R != scryptR || p.P != scryptP {
		return nil, fmt.Errorf("scrypt: expected N=%d to %d, r=%d, p=%d, got %d, %d, %d",
			scryptMinN, scryptMaxN, scryptR, scryptP, p.N, p.R, p.P)
	}
	salt, err1 := decodeBase64(b.KDF.Salt)
	rawNonce, err2 := decodeBase64(b.Cipher.Nonce)
	sealed, err3 := decodeBase64(b.Ciphertext)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if len(rawNonce) != nonceSize {
		return nil, fmt.Errorf("expected a nonce of %d bytes, got %d", nonceSize, len(rawNonce))
	}
	secret, err := boxKey(password, salt, p.N)
	if err != nil {
		return nil, err
	}
	der, ok := secretbox.Open(nil, sealed, (*[nonceSize]byte)(rawNonce), secret)
	if !ok {
		return nil, errors.New("wrong password, or the file is damaged")
	}
	return der, nil
}

func boxKey(password, salt []byte, n int) (*[boxKeySize]byte, error) {
	key, err := scrypt.Key(password, salt, n, scryptR, scryptP, boxKeySize)
	if err != nil {
		return nil, fmt.Errorf("scrypt: %w", err)
	}
	return (*[boxKeySize]byte)(key), nil
}

// decodeBase64 decodes standard base64 with padding and nothing else: the
// standard library skips line breaks, other readers do not.
func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64")
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}
