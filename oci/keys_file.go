package oci

import (
	"fmt"
	"io"
	"os"
)

// Suffixes of the two files of a key pair, and the private one's mode.
const (
	PrivateKeySuffix = ".key"
	PublicKeySuffix  = ".pub"

	privateKeyMode = 0o600
	publicKeyMode  = 0o644
)

// WriteKeyPair writes prefix.key (mode 0600, in cosign's format, encrypted
// under password) and prefix.pub. It never overwrites: an existing file is an
// error, and then neither is written.
func WriteKeyPair(prefix string, key *PrivateKey, password []byte) error {
	private, err := EncryptPrivateKey(key, password)
	if err != nil {
		return fmt.Errorf("write key pair: %w", err)
	}
	if err := writeNew(prefix+PrivateKeySuffix, privateKeyMode, private); err != nil {
		return fmt.Errorf("write key pair: %w", err)
	}
	if err := writeNew(prefix+PublicKeySuffix, publicKeyMode, key.Public().PEM()); err != nil {
		os.Remove(prefix + PrivateKeySuffix) // ours, and useless without its other half
		return fmt.Errorf("write key pair: %w", err)
	}
	return nil
}

// writeNew creates path, which must not exist, and syncs it.
func writeNew(path string, mode os.FileMode, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

// LoadPrivate opens a private key file of cosign. Errors wrap ErrKey, or say
// why the file cannot be read.
func LoadPrivate(path string, password []byte) (*PrivateKey, error) {
	data, err := readSmall(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("load private key: %w", err)
	}
	key, err := ParsePrivateKey(data, password)
	if err != nil {
		return nil, fmt.Errorf("load private key: %s: %w", path, err)
	}
	return key, nil
}

// LoadPublic reads a file with one PUBLIC KEY block. Errors wrap ErrKey, or
// say why the file cannot be read.
func LoadPublic(path string) (*PublicKey, error) {
	data, err := readSmall(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("load public key: %w", err)
	}
	key, err := ParsePublicKey(data)
	if err != nil {
		return nil, fmt.Errorf("load public key: %s: %w", path, err)
	}
	return key, nil
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: %w: expected at most %d bytes", path, ErrTooLarge, limit)
	}
	return data, nil
}
