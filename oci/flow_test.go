package oci_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

// newKey makes a key pair.
func newKey(tb testing.TB) *oci.PrivateKey {
	tb.Helper()
	key, err := oci.GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// newClient makes a client for the registry that does not wait long.
func newClient(r *ocitest.Registry) *oci.Client {
	return &oci.Client{Roots: r.Roots(), Arch: "amd64", Backoff: time.Millisecond, TryTimeout: 5 * time.Second}
}

// mustRef parses a reference.
func mustRef(tb testing.TB, s string) oci.Reference {
	tb.Helper()
	ref, err := oci.ParseReference(s)
	if err != nil {
		tb.Fatal(err)
	}
	return ref
}

// policyFor makes a policy that wants every one of keys for everything.
func policyFor(tb testing.TB, identity, boot string, keys ...*oci.PublicKey) *oci.Policy {
	tb.Helper()
	files := map[string][]byte{}
	requirements := ""
	for i, k := range keys {
		path := fmt.Sprintf("%d.pub", i)
		files[path] = k.PEM()
		requirements += fmt.Sprintf(`, {"type": "sigstoreSigned", "keyPath": %q, "signedIdentity": %s}`, path, identity)
	}
	text := fmt.Sprintf(`{"default": [{"type": "reject"}], "transports": {"docker": {"": [%s]}}}`, requirements[1:])
	var toml []byte
	if boot != "" {
		toml = []byte(boot)
	}
	p, err := oci.ParsePolicy([]byte(text), toml, func(path string) ([]byte, error) {
		if data, ok := files[path]; ok {
			return data, nil
		}
		return nil, os.ErrNotExist
	})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

const matchRepository = `{"type": "matchRepository"}`

func TestFlow(t *testing.T) {
	for name, o := range map[string]ocitest.Options{
		"referrers":    {},
		"no referrers": {NoReferrers: true},
	} {
		for _, format := range []string{oci.FormatTag, oci.FormatBundle, oci.FormatBoth} {
			t.Run(name+"/"+format, func(t *testing.T) {
				t.Parallel()
				r := ocitest.Start(t, o)
				img := ocitest.Image(t, ocitest.Spec{
					Labels: map[string]string{"containers.bootc": "1"},
				})
				index := ocitest.Index(t, ocitest.Image(t, ocitest.Spec{Arch: "arm64"}), img)
				ref := mustRef(t, r.Push(t, "os/web:stable", index))
				c := newClient(r)
				ctx := context.Background()
				key := newKey(t)
				signed, err := oci.Sign(ctx, c, ref, key, oci.SignOptions{Formats: format, Annotations: map[string]string{"epoch": "7"}})
				if err != nil {
					t.Fatal(err)
				}
				s, err := c.Fetch(ctx, ref)
				if err != nil {
					t.Fatal(err)
				}
				image, err := policyFor(t, matchRepository, "schema = 1\nepoch = 7\n", key.Public()).Verify(s, oci.VerifyOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if len(image.Signers()) != len(signed) || image.Epoch() != 7 || image.Labels()["containers.bootc"] != "1" {
					t.Errorf("expected %d signers, got %+v, labels %v", len(signed), image.Signers(), image.Labels())
				}
				if _, err := policyFor(t, matchRepository, "", newKey(t).Public()).Verify(s, oci.VerifyOptions{}); err == nil {
					t.Error("another key's policy accepted the image")
				}
			})
		}
	}
}

func TestFlowBlob(t *testing.T) {
	r := ocitest.Start(t, ocitest.Options{})
	layer := ocitest.RandomLayer(t, 1, 1<<20)
	ref := mustRef(t, r.Push(t, "os/web:stable", ocitest.Image(t, ocitest.Spec{Layers: []v1.Layer{layer}})))
	c := newClient(r)
	ctx := context.Background()
	key := newKey(t)
	if _, err := oci.Sign(ctx, c, ref, key, oci.SignOptions{}); err != nil {
		t.Fatal(err)
	}
	s, err := c.Fetch(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	image, err := policyFor(t, matchRepository, "", key.Public()).Verify(s, oci.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l := image.Layers()[0]
	blob, err := c.Blob(ctx, image, l.Digest, l.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	data, err := io.ReadAll(blob)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(data)); got != string(l.Digest) || !bytes.Equal(data[:2], []byte{0x1f, 0x8b}) {
		t.Errorf("expected %s, got %s", l.Digest, got)
	}
}
