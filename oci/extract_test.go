package oci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	reader "github.com/erofs/go-erofs"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	typePlain = "application/vnd.oci.image.layer.v1.tar"
	typeGzip  = "application/vnd.oci.image.layer.v1.tar+gzip"
	typeZstd  = "application/vnd.oci.image.layer.v1.tar+zstd"
	testKver  = "6.12.107+deb13-amd64"
)

func gzipped(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func zstded(tb testing.TB, b []byte, o ...zstd.EOption) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil, o...)
	if err != nil {
		tb.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

// skippable is a zstd frame without contents, as zstd:chunked appends.
func skippable(b string) []byte {
	return append([]byte{0x50, 0x2a, 0x4d, 0x18, byte(len(b)), 0, 0, 0}, b...)
}

func digestOf(b []byte) Digest { return Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(b))) }

// testImage is an image in memory.
type testImage struct {
	extraction
	blobs  map[Digest][]byte
	target *os.File
}

func newTestImage(tb testing.TB) *testImage {
	i := &testImage{blobs: map[Digest][]byte{}, target: scratch(tb)}
	i.extraction = extraction{
		labels: map[string]string{"containers.bootc": "1"}, arch: "amd64", root: i.target, limits: newLimits(),
		open: func(_ context.Context, l Layer) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(i.blobs[l.Digest])), nil
		},
	}
	return i
}

// add appends a layer of the given type, whose tar is as given.
func (i *testImage) add(mediaType string, packed, tar []byte) *testImage {
	l := Layer{Digest: digestOf(packed), DiffID: digestOf(tar), Size: int64(len(packed)), MediaType: mediaType}
	i.layers = append(i.layers, l)
	i.blobs[l.Digest] = packed
	return i
}

// base is a bootable layer.
func base() []item {
	return []item{
		directory("usr/lib/modules/" + testKver),
		regular("usr/lib/modules/"+testKver+"/vmlinuz", bzImage(testKver+" (builder) #1")),
		regular("usr/lib/modules/"+testKver+"/initramfs.img", strings.Repeat("initramfs", 500)),
		regular("usr/lib/os-release", "NAME=Test\n"), symlink("etc/os-release", "../usr/lib/os-release"),
		regular("usr/lib/bootc/kargs.d/10-a.toml", `kargs=["console=ttyS0", "quiet"]`),
		regular("usr/bin/tool", "tool").xattrs("security.capability", "cap"), hardlink("usr/bin/link", "usr/bin/tool"),
		regular("gone", "x"),
	}
}

func TestExtract(t *testing.T) {
	b := tarball(t, base()...)
	second := tarball(t, regular(".wh.gone", ""), regular("usr/new", strings.Repeat("n", 9000)))
	third := append(tarball(t, regular("usr/third", "3")), make([]byte, 10000)...) // padded like GNU tar's
	i := newTestImage(t).add(typeGzip, gzipped(t, b), b).add(typeZstd, zstded(t, second), second).add(typePlain, third, third)
	bundle, err := i.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if bundle.Release != testKver || bundle.Layers != 3 || bundle.Labels["containers.bootc"] != "1" {
		t.Errorf("bundle: got %+v", bundle)
	}
	if want := i.layers[0].Size + i.layers[1].Size + i.layers[2].Size; bundle.Fetched != want {
		t.Errorf("fetched: expected %d, got %d", want, bundle.Fetched)
	}
	if !slices.Equal(bundle.Kargs, []Karg{{"console=ttyS0", "10-a.toml"}, {"quiet", "10-a.toml"}}) {
		t.Errorf("kernel arguments: got %v", bundle.Kargs)
	}
	for _, test := range []struct {
		name, want string
		got        *io.SectionReader
	}{
		{"kernel", bzImage(testKver + " (builder) #1"), bundle.Kernel},
		{"initramfs", strings.Repeat("initramfs", 500), bundle.Initramfs},
	} {
		if got, err := io.ReadAll(test.got); err != nil || string(got) != test.want {
			t.Errorf("%s: %d bytes differ from the layer's, %v", test.name, len(got), err)
		}
	}
	if got := readAll(t, bundle.Root, "etc/os-release"); got != "NAME=Test\n" {
		t.Errorf("root: os-release: got %q", got)
	}
	checkImage(t, i.target, bundle)
}

// checkImage reads what is in the Target with other readers.
func checkImage(t *testing.T, target *os.File, bundle *Bundle) {
	t.Helper()
	if info, err := target.Stat(); err != nil || info.Size() != bundle.RootSize {
		t.Errorf("root size: expected %d as in the bundle, got %v, %v", bundle.RootSize, info.Size(), err)
	}
	img, err := reader.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, img, "usr/new"); got != strings.Repeat("n", 9000) {
		t.Errorf("usr/new: got %d bytes", len(got))
	}
	info, err := fs.Stat(img, "usr/bin/link")
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*reader.Stat); st.Nlink != 2 || st.Xattrs["security.capability"] != "cap" {
		t.Errorf("hard link: got %+v", st)
	}
	if _, err := fs.Stat(img, "gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("whiteout: got %v", err)
	}
	fsck, err := exec.LookPath("fsck.erofs")
	if err != nil {
		fsck = "/usr/sbin/fsck.erofs"
	}
	if out, err := exec.Command(fsck, "--extract", target.Name()).CombinedOutput(); err != nil || strings.Contains(string(out), "<E>") {
		t.Errorf("fsck.erofs (package erofs-utils): %v\n%s", err, out)
	}
}

// TestStreams is section 8's fact 34, and other forms that streams have.
func TestStreams(t *testing.T) {
	b := tarball(t, base()...)
	half := len(b) / 2
	for name, test := range map[string]struct {
		mediaType string
		packed    []byte
	}{
		"gzip":                {typeGzip, gzipped(t, b)},
		"gzip members":        {typeGzip, append(gzipped(t, b[:half]), gzipped(t, b[half:])...)},
		"gzip, empty member":  {typeGzip, append(gzipped(t, b), gzipped(t, nil)...)},
		"docker gzip":         {"application/vnd.docker.image.rootfs.diff.tar.gzip", gzipped(t, b)},
		"docker plain":        {"application/vnd.docker.image.rootfs.diff.tar", b},
		"zstd":                {typeZstd, zstded(t, b)},
		"zstd frames":         {typeZstd, append(zstded(t, b[:half]), zstded(t, b[half:])...)},
		"zstd:chunked":        {typeZstd, slices.Concat(skippable("head"), zstded(t, b), skippable("manifest"), skippable("footer"))},
		"zstd, large window":  {typeZstd, zstded(t, b, zstd.WithWindowSize(maxWindow))},
		"tar without its end": {typePlain, b[:len(b)-1024]},
	} {
		t.Run(name, func(t *testing.T) {
			tar := b
			if name == "tar without its end" {
				tar = test.packed
			}
			if _, err := newTestImage(t).add(test.mediaType, test.packed, tar).run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStreamsRefused(t *testing.T) {
	b := tarball(t, base()...)
	z, s := gzipped(t, b), zstded(t, b)
	window := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x90, 0x01, 0x00, 0x00} // a frame with 256 MiB of window
	for name, test := range map[string]struct {
		mediaType string
		packed    []byte
		want      string
	}{
		"fact 34: garbage gzip":       {typeGzip, []byte("garbage that is no gzip stream"), "invalid gzip header"},
		"fact 34: garbage zstd":       {typeZstd, []byte("garbage that is no zstd stream"), "unknown frame descriptor"},
		"fact 34: unknown media type": {"application/x-tar", b, "unhandled layer type"},
		"no media type":               {"", b, "unhandled layer type"},
		"empty gzip":                  {typeGzip, nil, "EOF"},
		"cut gzip":                    {typeGzip, z[:len(z)/2], "unexpected EOF"},
		"cut zstd":                    {typeZstd, s[:len(s)-4], "unexpected EOF"},
		"gzip checksum":               {typeGzip, append(slices.Clone(z[:len(z)-8]), "12345678"...), "checksum"},
		"garbage behind gzip":         {typeGzip, append(slices.Clone(z), "garbage....."...), "gzip: invalid header"},
		"garbage behind zstd":         {typeZstd, append(slices.Clone(s), "garbage....."...), "unknown frame descriptor"},
		"zstd window":                 {typeZstd, window, "window size"},
		"cut tar":                     {typePlain, b[:len(b)/2], "EOF"},
		"garbage tar":                 {typePlain, bytes.Repeat([]byte("x"), 2048), "invalid tar header"},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, err := newTestImage(t).add(test.mediaType, test.packed, b).run(t.Context())
			if !errors.Is(err, ErrLayer) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "layer 1 of 1 (sha256:") || bundle != nil {
				t.Errorf("expected ErrLayer with %q, got %v", test.want, err)
			}
		})
	}
}
