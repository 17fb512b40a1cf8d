package oci

import (
	"context"
	"errors"
)

// SignOptions are the choices of Sign; the zero value writes both formats for
// the reference itself.
type SignOptions struct {
	// Formats is "tag", "bundle" or "both"; "" means both.
	Formats string
	// Annotations are signed along with the digest: epoch, expires, ref.
	Annotations map[string]string
	// Recursive signs every instance of an index as well.
	Recursive bool
	// Identity is the repository named inside the signature, for when images
	// are pushed to another address than they are pulled from; "" means the
	// reference's own.
	Identity string
}

// Signature is one signature that Sign pushed or found already there.
type Signature struct {
	Digest Digest
	Format string
	KeyID  string
}

// Sign signs what ref stands for at this moment and pushes the signatures.
func Sign(ctx context.Context, c *Client, ref Reference, key *PrivateKey, o SignOptions) ([]Signature, error) {
	return nil, errors.New("sign: not built yet")
}
