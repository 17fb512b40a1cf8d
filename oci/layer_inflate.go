package oci

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is how far back a zstd stream may refer, and so its memory.
const maxWindow = 128 << 20

// layerTypes are the media types of layers, with their compression.
var layerTypes = map[string]func(io.Reader) (io.ReadCloser, error){
	"application/vnd.oci.image.layer.v1.tar":            plain,
	"application/vnd.oci.image.layer.v1.tar+gzip":       gunzip,
	"application/vnd.oci.image.layer.v1.tar+zstd":       unzstd,
	"application/vnd.docker.image.rootfs.diff.tar":      plain,
	"application/vnd.docker.image.rootfs.diff.tar.gzip": gunzip,
	"application/vnd.docker.image.rootfs.diff.tar.zstd": unzstd,
}

// checkLayerTypes refuses layers that could not be inflated, before anything
// is fetched.
func checkLayerTypes(layers []Layer) error {
	for n, l := range layers {
		if layerTypes[l.MediaType] == nil {
			return fmt.Errorf("%w: layer %d of %d (%s): unhandled layer type %q", ErrLayer, n+1, len(layers), l.Digest, clip(l.MediaType))
		}
	}
	return nil
}

// inflate returns the tar in a layer of a checked type. It reads r to its end:
// all members of a gzip stream, all frames of a zstd stream, among them the
// ones that zstd:chunked puts behind the tar.
func inflate(r io.Reader, mediaType string) (io.ReadCloser, error) {
	return layerTypes[mediaType](r)
}

func plain(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(r), nil }

func gunzip(r io.Reader) (io.ReadCloser, error) {
	z, err := gzip.NewReader(bufio.NewReaderSize(r, pieceSize))
	if errors.Is(err, gzip.ErrHeader) {
		return nil, fmt.Errorf("invalid gzip header: %w", err)
	}
	return z, err
}

func unzstd(r io.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return nil, err
	}
	return unzstdReader{z.IOReadCloser()}, nil
}

// unzstdReader says what the library's error means.
type unzstdReader struct{ io.ReadCloser }

// Read inflates.
func (u unzstdReader) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if errors.Is(err, zstd.ErrMagicMismatch) {
		err = fmt.Errorf("unknown frame descriptor: %w", err)
	}
	return n, err
}
