package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// maxAnswer bounds what a registry answers to an upload.
const maxAnswer = 64 << 10

// pushBlob uploads a blob in one piece, unless the registry has it.
func (s *signer) pushBlob(ctx context.Context, data []byte) error {
	digest := sha256Of(data)
	err := s.upload(ctx, digest, data)
	if err != nil {
		return fmt.Errorf("blob %s: %w", digest, err)
	}
	return nil
}

func (s *signer) upload(ctx context.Context, digest Digest, data []byte) error {
	head := call{method: http.MethodHead, path: "blobs/" + string(digest), scope: transport.PushScope}
	if _, _, err := s.client.small(ctx, s.at, head, maxBundle); err == nil {
		return nil
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	start := call{method: http.MethodPost, path: "blobs/uploads/", scope: transport.PushScope, accept: []int{http.StatusAccepted}}
	_, header, err := s.client.small(ctx, s.at, start, maxAnswer)
	if err != nil {
		return err
	}
	location, err := uploadURL(urlOf(s.at, "blobs/uploads/"), header.Get("Location"), digest)
	if err != nil {
		return err
	}
	_, _, err = s.client.small(ctx, s.at, call{
		method: http.MethodPut, path: location, body: data, scope: transport.PushScope,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		accept: []int{http.StatusCreated},
	}, maxAnswer)
	return err
}

// uploadURL completes the location that the registry gave, which may be
// relative and have parameters of its own.
func uploadURL(base, location string, digest Digest) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrReference, err)
	}
	to, err := from.Parse(location)
	if err != nil || location == "" || to.Scheme != "https" {
		return "", fmt.Errorf("%w: upload to %q: expected https", ErrRedirect, clip(location))
	}
	query := to.Query()
	query.Set("digest", string(digest))
	to.RawQuery = query.Encode()
	return to.String(), nil
}

// pushManifest puts a manifest at a tag or digest.
func (s *signer) pushManifest(ctx context.Context, name, mediaType string, body []byte) error {
	_, _, err := s.client.small(ctx, s.at, call{
		method: http.MethodPut, path: "manifests/" + name, body: body, scope: transport.PushScope,
		header: http.Header{"Content-Type": {mediaType}},
		accept: []int{http.StatusCreated},
	}, maxAnswer)
	if err != nil {
		return fmt.Errorf("manifest %s: %w", name, err)
	}
	return nil
}
