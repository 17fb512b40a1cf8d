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

// imageEpoch is the time of everything the lab puts into an image:
// 2025-01-01. Files of packages that are older keep their time.
const imageEpoch = 1735689600

func imageTime() time.Time { return time.Unix(imageEpoch, 0).UTC() }

// xattrRecord is how tar carries extended attributes.
const xattrRecord = "SCHILY.xattr."

// layerWriter writes the tar of a layer. The first error sticks: it is in err
// and comes out of close.
type layerWriter struct {
	tw   *tar.Writer
	seen map[string]bool   // directories written
	sums map[string]string // path to hex SHA-256 of the files added with file
	err  error
}

func newLayerWriter(w io.Writer) *layerWriter {
	return &layerWriter{tw: tar.NewWriter(w), seen: map[string]bool{}, sums: map[string]string{}}
}

// write adds an entry as it is.
func (l *layerWriter) write(h *tar.Header, body io.Reader) {
	if l.err != nil {
		return
	}
	if l.err = l.tw.WriteHeader(h); l.err == nil && h.Typeflag == tar.TypeReg && body != nil {
		_, l.err = io.Copy(l.tw, body)
	}
}

// add adds an entry with the image's time, and the directories above it.
func (l *layerWriter) add(h *tar.Header, data []byte) {
	h.ModTime, h.Size, h.Format = imageTime(), int64(len(data)), tar.FormatPAX
	if parent := path.Dir(strings.TrimSuffix(h.Name, "/")); parent != "." {
		l.dir(parent, 0o755)
	}
	l.write(h, bytes.NewReader(data))
}

// dir adds a directory unless the layer has it.
func (l *layerWriter) dir(name string, perm int64) {
	if l.seen[name] {
		return
	}
	l.seen[name] = true
	l.add(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: perm}, nil)
}

func (l *layerWriter) file(name string, perm int64, data []byte) {
	l.fileXattr(name, perm, data, nil)
}

// fileXattr adds a file with PAX records for its extended attributes.
func (l *layerWriter) fileXattr(name string, perm int64, data []byte, records map[string]string) {
	sum := sha256.Sum256(data)
	l.sums[name] = hex.EncodeToString(sum[:])
	l.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: perm, PAXRecords: records}, data)
}

func (l *layerWriter) symlink(name, target string) {
	l.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (l *layerWriter) hardlink(name, target string) {
	l.sums[name] = l.sums[target]
	l.add(&tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o755}, nil)
}

// whiteout hides name, a file or a directory, of the layers below.
func (l *layerWriter) whiteout(name string) {
	l.add(&tar.Header{Typeflag: tar.TypeReg, Name: path.Join(path.Dir(name), ".wh."+path.Base(name)), Mode: 0o644}, nil)
}

// opaque hides all that the layers below have in the directory name.
func (l *layerWriter) opaque(name string) { l.whiteout(name + "/.wh..opq") }

func (l *layerWriter) close() error {
	if l.err == nil {
		l.err = l.tw.Close()
	}
	if l.err != nil {
		return fmt.Errorf("layer: %w", l.err)
	}
	return nil
}

// memLayer is a layer whose tar is kept in memory.
type memLayer struct {
	*layerWriter
	buf *bytes.Buffer
}

func newMemLayer() *memLayer {
	buf := &bytes.Buffer{}
	return &memLayer{newLayerWriter(buf), buf}
}

// layer compresses what was added, fast.
func (l *memLayer) layer() (v1.Layer, error) {
	if err := l.close(); err != nil {
		return nil, err
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
			History: v1.History{Created: v1.Time{Time: imageTime()}}})
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
	conf.Created = v1.Time{Time: imageTime()}
	conf.Config.Labels = labels
	img, err = mutate.ConfigFile(img, conf)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return img, nil
}
