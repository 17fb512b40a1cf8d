package oci_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

const flowRelease = "6.12.107+deb13-cloud-amd64"

// bootable is a signed, verified image of three layers in a registry.
func bootable(t *testing.T) (*ocitest.Registry, *oci.Client, *oci.Image) {
	t.Helper()
	kernel := make([]byte, 300000)
	copy(kernel[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(kernel[0x20e:], 0x1000)
	copy(kernel[0x1200:], flowRelease+" (builder) #1 SMP\x00")
	modules := "usr/lib/modules/" + flowRelease
	r := ocitest.Start(t, ocitest.Options{})
	ref := mustRef(t, r.Push(t, "os/boot:stable", ocitest.Image(t, ocitest.Spec{
		Labels: map[string]string{"containers.bootc": "1"},
		Layers: []v1.Layer{
			ocitest.Layer(t, map[string]string{modules + "/vmlinuz": string(kernel), modules + "/initramfs.img": "initramfs", "etc/old": "x"}),
			ocitest.RandomLayer(t, 1, 1<<20),
			ocitest.Layer(t, map[string]string{"etc/.wh.old": "", "etc/new": "y", "usr/lib/bootc/kargs.d/1.toml": `kargs = ["quiet"]`}),
		},
	})))
	c := newClient(r)
	key := newKey(t)
	if _, err := oci.Sign(t.Context(), c, ref, key, oci.SignOptions{}); err != nil {
		t.Fatal(err)
	}
	s, err := c.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := policyFor(t, matchRepository, "", key.Public()).Verify(s, oci.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r, c, img
}

func rootFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "root.erofs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestFlowExtract goes from a registry to boot files, over a connection that
// is cut on the way.
func TestFlowExtract(t *testing.T) {
	r, c, img := bootable(t)
	r.Fault(ocitest.Fault{Path: "/blobs/" + img.Layers()[1].Digest.String(), Times: 1, Truncate: 300000})
	b, err := c.Extract(t.Context(), img, rootFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if b.Release != flowRelease || b.Layers != 3 || len(b.Kargs) != 1 || b.Kargs[0] != (oci.Karg{Value: "quiet", Origin: "1.toml"}) {
		t.Errorf("bundle: got %+v", b)
	}
	if got, err := io.ReadAll(b.Initramfs); err != nil || string(got) != "initramfs" {
		t.Errorf("initramfs: got %q, %v", got, err)
	}
	if got, err := fs.ReadFile(b.Root, "etc/new"); err != nil || string(got) != "y" {
		t.Errorf("etc/new: got %q, %v", got, err)
	}
	if _, err := fs.Stat(b.Root, "etc/old"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("etc/old: expected a whiteout, got %v", err)
	}
}

func TestFlowExtractRefuses(t *testing.T) {
	r, c, img := bootable(t)
	l := img.Layers()[1].Digest.String()
	for name, test := range map[string]struct {
		fault ocitest.Fault
		want  error
	}{
		"flipped bit": {ocitest.Fault{Corrupt: true}, oci.ErrDigestMismatch},
		"gone":        {ocitest.Fault{Status: 404}, oci.ErrNotFound},
		"other bytes": {ocitest.Fault{Body: []byte("x"), Chunked: true}, oci.ErrUnreachable},
	} {
		test.fault.Path = "/blobs/" + l
		r.Fault(test.fault)
		b, err := c.Extract(t.Context(), img, rootFile(t))
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), "extract: layer 2 of 3 ("+l+")") || b != nil {
			t.Errorf("%s: expected %v, got %v", name, test.want, err)
		}
		r.Heal()
	}
	r.Fault(ocitest.Fault{Path: "/blobs/" + l, Stall: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Extract(ctx, img, rootFile(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stall: expected the context's error, got %v", err)
	}
}
