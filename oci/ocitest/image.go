package ocitest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Spec describes an image; the zero value is an empty one for linux/amd64.
type Spec struct {
	// Arch and OS of the config; "" means amd64 and linux.
	Arch, OS string
	// Labels of the config.
	Labels map[string]string
	// Layers, lowest first; see Layer and RandomLayer.
	Layers []v1.Layer
	// MediaType of the manifest; "" means OCI's.
	MediaType types.MediaType
}

// Image makes an image.
func Image(tb testing.TB, s Spec) v1.Image {
	tb.Helper()
	if s.Arch == "" {
		s.Arch = "amd64"
	}
	if s.OS == "" {
		s.OS = "linux"
	}
	if s.MediaType == "" {
		s.MediaType = types.OCIManifestSchema1
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, s.MediaType), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, s.Layers...)
	if err != nil {
		tb.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		tb.Fatal(err)
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Config.Labels = s.Arch, s.OS, s.Labels
	if img, err = mutate.ConfigFile(img, config); err != nil {
		tb.Fatal(err)
	}
	return img
}

// Layer makes a gzip layer with these files, by path.
func Layer(tb testing.TB, files map[string]string) v1.Layer {
	tb.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: 0o644, Size: int64(len(files[path]))}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, files[path]); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		tb.Fatal(err)
	}
	return layer
}

// RandomLayer makes a layer with one file of size bytes that depend on seed
// and do not compress.
func RandomLayer(tb testing.TB, seed uint64, size int) v1.Layer {
	tb.Helper()
	data := make([]byte, size)
	source := rand.New(rand.NewPCG(seed, 0))
	for i := range data {
		data[i] = byte(source.Uint32())
	}
	return Layer(tb, map[string]string{fmt.Sprintf("random-%d", seed): string(data)})
}

// RawLayer makes a layer of exactly these bytes, whatever they are.
func RawLayer(data []byte, mediaType types.MediaType) v1.Layer {
	return static.NewLayer(data, mediaType)
}

// Index makes an index of images, each under the platform of its config.
func Index(tb testing.TB, images ...v1.Image) v1.ImageIndex {
	tb.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			tb.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: config.OS, Architecture: config.Architecture}},
		})
	}
	return index
}
