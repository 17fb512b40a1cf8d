package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What follows changes the registry's files behind its back, as a broken
// disk or an intruder would. The layout below data/ is docker-registry's own.

const registryTree = "data/docker/registry/v2"

func (r *Registry) blobFile(digest string) (string, error) {
	hexDigest, ok := strings.CutPrefix(digest, "sha256:")
	if _, err := hex.DecodeString(hexDigest); !ok || err != nil || len(hexDigest) != 2*sha256.Size {
		return "", fmt.Errorf("registry: expected sha256:<64 hex digits>, got %q", digest)
	}
	return filepath.Join(r.dir, registryTree, "blobs/sha256", hexDigest[:2], hexDigest, "data"), nil
}

// CorruptBlob flips one bit in the middle of a stored blob or manifest. The
// registry goes on serving it under its old digest.
func (r *Registry) CorruptBlob(digest string) error {
	path, err := r.blobFile(digest)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	if len(data) == 0 {
		return errors.New("registry: cannot corrupt an empty blob")
	}
	data[len(data)/2] ^= 1
	return r.OverwriteBlob(digest, data)
}

// OverwriteBlob replaces the bytes of a stored blob or manifest; its digest
// no longer fits and the registry does not notice.
func (r *Registry) OverwriteBlob(digest string, data []byte) error {
	path, err := r.blobFile(digest)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}

// DeleteBlob removes a stored blob or manifest from the disk.
func (r *Registry) DeleteBlob(digest string) error {
	path, err := r.blobFile(digest)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}

// SetTag makes repo:tag point to a manifest of these very bytes, which are
// stored as they are, and returns their digest. The repository must exist.
// The registry refuses to serve what it cannot parse.
func (r *Registry) SetTag(repo, tag string, manifest []byte) (digest string, err error) {
	sum := sha256.Sum256(manifest)
	hexDigest := hex.EncodeToString(sum[:])
	digest = "sha256:" + hexDigest
	blob, err := r.blobFile(digest)
	if err != nil {
		return "", err
	}
	manifests := filepath.Join(r.dir, registryTree, "repositories", filepath.FromSlash(repo), "_manifests")
	if _, err := os.Stat(manifests); err != nil {
		return "", fmt.Errorf("registry: %w", err)
	}
	files := []struct {
		path string
		data []byte
	}{
		{blob, manifest},
		{filepath.Join(manifests, "revisions/sha256", hexDigest, "link"), []byte(digest)},
		{filepath.Join(manifests, "tags", tag, "index/sha256", hexDigest, "link"), []byte(digest)},
		{filepath.Join(manifests, "tags", tag, "current/link"), []byte(digest)},
	}
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return "", fmt.Errorf("registry: %w", err)
		}
		if err := os.WriteFile(f.path, f.data, 0o644); err != nil {
			return "", fmt.Errorf("registry: %w", err)
		}
	}
	return digest, nil
}
