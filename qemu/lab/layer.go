package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageTime is the time of everything the lab itself puts into an image.
var imageTime = time.Unix(1735689600, 0).UTC() // 2025-01-01

// xattrRecord is how tar carries extended attributes (and OCI wants them).
const xattrRecord = "SCHILY.xattr."

// memLayer is a layer that is written in memory. The first error sticks and
// comes out of layer.
type memLayer struct {
	buf  bytes.Buffer
	tw   *tar.Writer
	seen map[string]bool
	sums map[string]string // path to hex SHA-256 of regular files
	err  error
}

func newMemLayer() *memLayer {
	l := &memLayer{seen: map[string]bool{}, sums: map[string]string{}}
	l.tw = tar.NewWriter(&l.buf)
	return l
}

func (l *memLayer) add(h *tar.Header, data []byte) {
	if l.err != nil {
		return
	}
	h.ModTime = imageTime
	h.Size = int64(len(data))
	h.Format = tar.FormatPAX
	if parent := path.Dir(strings.TrimSuffix(h.Name, "/")); parent != "." {
		l.dir(parent, 0o755)
	}
	if l.err = l.tw.WriteHeader(h); l.err == nil {
		_, l.err = l.tw.Write(data)
	}
}

// dir adds a directory, and its parents, unless the layer has it.
func (l *memLayer) dir(name string, perm int64) {
	if l.seen[name] {
		return
	}
	l.seen[name] = true
	l.add(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: perm}, nil)
}

func (l *memLayer) file(name string, perm int64, data []byte) {
	sum := sha256.Sum256(data)
	l.sums[name] = hex.EncodeToString(sum[:])
	l.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: perm}, data)
}

func (l *memLayer) fileXattr(name string, perm int64, data []byte, attr, value string) {
	sum := sha256.Sum256(data)
	l.sums[name] = hex.EncodeToString(sum[:])
	records := map[string]string{xattrRecord + attr: value}
	l.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: perm, PAXRecords: records}, data)
}

func (l *memLayer) symlink(name, target string) {
	l.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (l *memLayer) hardlink(name, target string) {
	l.sums[name] = l.sums[target]
	l.add(&tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o755}, nil)
}

// whiteout hides name of the layers below.
func (l *memLayer) whiteout(name string) {
	l.add(&tar.Header{Typeflag: tar.TypeReg, Name: path.Join(path.Dir(name), ".wh."+path.Base(name)), Mode: 0o644}, nil)
}

// layer compresses what was added.
func (l *memLayer) layer() (v1.Layer, error) {
	if l.err == nil {
		l.err = l.tw.Close()
	}
	if l.err != nil {
		return nil, fmt.Errorf("layer: %w", l.err)
	}
	return gzipLayer(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(l.buf.Bytes())), nil
	}, gzip.BestSpeed)
}

func gzipLayer(open tarball.Opener, level int) (v1.Layer, error) {
	layer, err := tarball.LayerFromOpener(open, tarball.WithCompressionLevel(level),
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("layer: %w", err)
	}
	return layer, nil
}

// ociImage joins layers to an OCI image.
func ociImage(arch string, labels map[string]string, layers ...v1.Layer) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	for _, layer := range layers {
		var err error
		img, err = mutate.Append(img, mutate.Addendum{Layer: layer, MediaType: types.OCILayer,
			History: v1.History{Created: v1.Time{Time: imageTime}}})
		if err != nil {
			return nil, fmt.Errorf("image: %w", err)
		}
	}
	conf, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	conf = conf.DeepCopy()
	conf.Architecture, conf.OS = arch, "linux"
	conf.Created = v1.Time{Time: imageTime}
	conf.Config.Labels = labels
	img, err = mutate.ConfigFile(img, conf)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return img, nil
}
