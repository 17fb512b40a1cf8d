package oci

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestDamage checks that a layer that is not the named one is called that,
// whatever unpacking it ran into first.
func TestDamage(t *testing.T) {
	b := tarball(t, base()...)
	for mediaType, packed := range map[string][]byte{typeGzip: gzipped(t, b), typeZstd: zstded(t, b), typePlain: b} {
		for at := 0; at < len(packed); at += max(len(packed)/40, 1) {
			i := newTestImage(t).add(typePlain, b, b).add(mediaType, packed, b)
			bad := slices.Clone(packed)
			bad[at] ^= 0x10
			l := i.layers[1]
			i.blobs[l.Digest] = bad
			if mediaType == typePlain {
				i.layers = i.layers[1:]
			}
			_, err := i.run(t.Context())
			if !errors.Is(err, ErrDigestMismatch) || !strings.Contains(err.Error(), string(l.Digest)+", got "+string(digestOf(bad))) {
				t.Fatalf("%s: bit flipped at %d: expected ErrDigestMismatch with both digests, got %v", mediaType, at, err)
			}
		}
	}
	for name, test := range map[string]struct {
		change func(i *testImage)
		want   error
	}{
		"diffID": {func(i *testImage) { i.layers[0].DiffID = digestOf(nil) }, ErrDigestMismatch},
		"longer": {func(i *testImage) { i.blobs[i.layers[0].Digest] = append(gzipped(t, b), gzipped(t, nil)...) }, ErrTooLarge},
		"cut": {func(i *testImage) {
			d := i.layers[0].Digest
			i.blobs[d] = i.blobs[d][:i.layers[0].Size-1]
		}, ErrDigestMismatch},
		"empty":      {func(i *testImage) { clear(i.blobs) }, ErrDigestMismatch},
		"size small": {func(i *testImage) { i.layers[0].Size = 10 }, ErrTooLarge},
	} {
		i := newTestImage(t).add(typeGzip, gzipped(t, b), b)
		test.change(i)
		if bundle, err := i.run(t.Context()); !errors.Is(err, test.want) || bundle != nil {
			t.Errorf("%s: expected %v, got %v", name, test.want, err)
		}
	}
}

func TestNotBootable(t *testing.T) {
	other := base()
	other[1] = regular("usr/lib/modules/"+testKver+"/vmlinuz", bzImage("6.1.0-31-amd64 (x)"))
	for name, test := range map[string]struct {
		items []item
		want  string
	}{
		"no kernel":      {[]item{regular("usr/lib/os-release", "")}, "no kernel"},
		"UKI":            {append(base(), regular("boot/EFI/Linux/x.efi", "MZ")), "boot/EFI/Linux/x.efi: unified kernel images are not supported yet"},
		"second kernel":  {append(base(), regular("usr/lib/modules/5.1/vmlinuz", "x")), "expected one, got 5.1, " + testKver},
		"other release":  {other, `expected "` + testKver + `" as its directory, got "6.1.0-31-amd64" in its header`},
		"not a kernel":   {append(base(), regular("usr/lib/modules/"+testKver+"/vmlinuz", "text")), "expected a bzImage"},
		"kernel outside": {append(base(), symlink("usr/lib/modules/"+testKver+"/vmlinuz", "/nowhere")), "no kernel"},
		"kargs":          {append(base(), regular("usr/lib/bootc/kargs.d/x.toml", "x=1")), "x.toml: unknown key"},
	} {
		b := tarball(t, test.items...)
		if _, err := newTestImage(t).add(typePlain, b, b).run(t.Context()); !errors.Is(err, ErrNotBootable) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: expected ErrNotBootable with %q, got %v", name, test.want, err)
		}
	}
	b := tarball(t, base()...)
	i := newTestImage(t).add(typePlain, b, b)
	i.labels = nil
	i.open = nil // nothing may be fetched
	if _, err := i.run(t.Context()); !errors.Is(err, ErrNotBootable) {
		t.Errorf("no label: got %v", err)
	}
	b = tarball(t, other...)
	i = newTestImage(t).add(typePlain, b, b)
	i.arch = "arm64"
	if _, err := i.run(t.Context()); err != nil {
		t.Errorf("other architectures' kernels have no header: %v", err)
	}
}

func TestZeroImage(t *testing.T) {
	for _, img := range []*Image{nil, {}} {
		if _, err := new(Client).Extract(t.Context(), img, scratch(t)); !errors.Is(err, ErrUnsigned) {
			t.Errorf("expected ErrUnsigned, got %v", err)
		}
	}
}

// failing fails after some bytes, or waits for its end.
type failing struct {
	io.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func (f failing) Close() error { return nil }

func TestTransferFails(t *testing.T) {
	b := tarball(t, base()...)
	broken := errors.New("connection reset")
	for name, n := range map[string]int{"at once": 0, "in the middle": 500, "in the tail": len(gzipped(t, b)) - 1} {
		i := newTestImage(t).add(typeGzip, gzipped(t, b), b)
		i.open = func(_ context.Context, l Layer) (io.ReadCloser, error) {
			return failing{bytes.NewReader(i.blobs[l.Digest][:n]), broken}, nil
		}
		if _, err := i.run(t.Context()); !errors.Is(err, broken) || errors.Is(err, ErrLayer) || errors.Is(err, ErrDigestMismatch) {
			t.Errorf("%s: expected the transfer's error alone, got %v", name, err)
		}
	}
	i := newTestImage(t).add(typeGzip, gzipped(t, b), b)
	i.open = func(context.Context, Layer) (io.ReadCloser, error) { return nil, broken }
	if _, err := i.run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("open: got %v", err)
	}
}

// stalled is a blob that never comes until the context ends.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func (s stalled) Close() error { return nil }

func TestCancel(t *testing.T) {
	b := tarball(t, base()...)
	var opened atomic.Int32
	i := newTestImage(t)
	for k := range 10 {
		i.add(typeGzip, append(gzipped(t, b), gzipped(t, make([]byte, k))...), b)
	}
	i.open = func(ctx context.Context, l Layer) (io.ReadCloser, error) {
		opened.Add(1)
		return stalled{ctx}, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := i.run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expected the context's error, got %v", err)
	}
	if n := opened.Load(); n > maxParallel {
		t.Errorf("expected at most %d layers under way, got %d", maxParallel, n)
	}
}

// TestFirstErrorStops checks that one bad layer ends the others' transfers.
func TestFirstErrorStops(t *testing.T) {
	b := tarball(t, base()...)
	i := newTestImage(t).add(typePlain, []byte("bad"), b).add(typeGzip, gzipped(t, b), b)
	i.layers[0].Size = 1 << 20 // first in line
	open := i.open
	i.open = func(ctx context.Context, l Layer) (io.ReadCloser, error) {
		if l.MediaType == typeGzip {
			return stalled{ctx}, nil
		}
		return open(ctx, l)
	}
	if _, err := i.run(t.Context()); !errors.Is(err, ErrLayer) || !strings.Contains(err.Error(), "layer 1 of 2") {
		t.Errorf("expected the bad layer's error, got %v", err)
	}
}
