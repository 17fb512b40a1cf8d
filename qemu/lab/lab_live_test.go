//go:build lab

package lab

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beevik/ntp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// These tests download from the Debian mirror and build images; they run with
// -tags lab and keep what they made in $SLIPWAY_CACHE.

func testLab(t *testing.T) *Lab {
	t.Helper()
	cache := os.Getenv("SLIPWAY_CACHE")
	if cache == "" {
		home, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, "slipway")
	}
	return &Lab{Cache: cache, Progress: func(s string) { t.Log(s) }}
}

func testCA(t *testing.T, dir string) *CA {
	t.Helper()
	now := time.Now()
	ca, err := NewCA(dir, now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// readImage reads all of an image; go-containerregistry compares the digests
// of what comes from a registry, diff IDs are compared here.
func readImage(img v1.Image) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	conf, err := img.ConfigFile()
	if err != nil {
		return err
	}
	for i, layer := range layers {
		r, err := layer.Uncompressed()
		if err != nil {
			return err
		}
		got, _, err := v1.SHA256(r)
		if err != nil {
			return err
		}
		if want := conf.RootFS.DiffIDs[i]; got != want {
			return fmt.Errorf("layer %d: diff ID: expected %s, got %s", i, want, got)
		}
	}
	return nil
}

func TestTinyImage(t *testing.T) {
	l := testLab(t)
	var digests []string
	for range 2 {
		img, err := l.TinyImage(t.Context(), TinyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := readImage(img); err != nil {
			t.Error(err)
		}
		d, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d.String())
		layers, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		for i, layer := range layers {
			size, _ := layer.Size()
			t.Logf("layer %d: %d bytes", i+1, size)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds: expected one digest, got %v", digests)
	}
}

func TestRegistry(t *testing.T) {
	l := testLab(t)
	dir := t.TempDir()
	ca := testCA(t, dir)
	r, err := l.StartRegistry(t.Context(), dir, ca, "registry.test")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	img, err := l.TinyImage(t.Context(), TinyOptions{Arch: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := r.Push(t.Context(), "test/tiny", "v1", img)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(r.Addr() + "/test/tiny@" + digest)
	if err != nil {
		t.Fatal(err)
	}
	transport := remote.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: "registry.test"}})
	got, err := remote.Image(ref, transport)
	if err != nil {
		t.Fatal(err)
	}
	if err := readImage(got); err != nil {
		t.Error(err)
	}
	layers, _ := img.Layers()
	d, _ := layers[1].Digest()
	if err := r.CorruptBlob(d.String()); err != nil {
		t.Fatal(err)
	}
	if err := readImage(got); err == nil {
		t.Error("expected a corrupt layer to be noticed")
	}
	raw, _ := img.RawManifest()
	changed := append(raw, '\n')
	want, err := r.SetTag("test/tiny", "v1", changed)
	if err != nil {
		t.Fatal(err)
	}
	tag, _ := name.NewTag(r.Addr() + "/test/tiny:v1")
	desc, err := remote.Get(tag, transport)
	if err != nil {
		t.Fatal(err)
	}
	if desc.Digest.String() != want || string(desc.Manifest) != string(changed) {
		t.Errorf("tag: expected %s, got %s", want, desc.Digest)
	}
	if err := r.OverwriteBlob(want, raw); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Get(ref.Context().Digest(want), transport); err == nil {
		t.Error("expected the swapped manifest to be noticed")
	}
	r.Stop()
	if _, err := remote.Get(tag, transport); err == nil {
		t.Error("expected no answer from a stopped registry")
	}
}

func TestNTP(t *testing.T) {
	n, err := testLab(t).StartNTP(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	r, err := ntp.Query(n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if r.Stratum != 8 || r.ClockOffset.Abs() > time.Second {
		t.Errorf("expected stratum 8 and no offset, got %d and %v", r.Stratum, r.ClockOffset)
	}
}

func TestDebianImage(t *testing.T) {
	l := testLab(t)
	img, err := l.DebianImage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := readImage(img); err != nil {
		t.Error(err)
	}
	digest, _ := img.Digest()
	t.Log(img.Layout, digest)
	layers, _ := img.Layers()
	for i, layer := range layers {
		size, _ := layer.Size()
		t.Logf("layer %d: %d bytes", i, size)
	}
}

// TestLostVersion pretends that the lock names a version that the mirror no
// longer has.
func TestLostVersion(t *testing.T) {
	locked, err := parseLock(lockText)
	if err != nil {
		t.Fatal(err)
	}
	kept := lockText
	defer func() { lockText = kept }()
	for i := range locked {
		if isImageKernel(locked[i]) {
			locked[i].Name = "linux-image-6.12.1-cloud-amd64"
			locked[i].Version = "6.12.1-1"
		}
	}
	lockText = formatLock(locked)

	l := &Lab{Cache: t.TempDir(), Strict: true}
	if _, err := l.ImageKernel(t.Context()); !errors.Is(err, ErrLock) {
		t.Errorf("strict: expected ErrLock, got %v", err)
	}
	l.Strict = false
	for range 2 { // the second time from the cache, and as loud
		var said strings.Builder
		l.Progress = func(line string) { fmt.Fprintln(&said, line) }
		k, err := l.ImageKernel(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := "WARNING: linux-image-6.12.1-cloud-amd64: locked 6.12.1-1, now gone"
		if k.Version == "6.12.1-1" || !strings.Contains(said.String(), want) {
			t.Errorf("expected another version and %q, got %s and %q", want, k.Version, said.String())
		}
	}
	l.Strict = true
	if _, err := l.ImageKernel(t.Context()); !errors.Is(err, ErrLock) {
		t.Errorf("strict, from the cache: expected ErrLock, got %v", err)
	}
}
