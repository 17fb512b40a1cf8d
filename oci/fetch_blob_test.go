package oci_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

const blobSize = 400 << 10

// newVerified makes a registry with a signed image of one layer.
func newVerified(t *testing.T) (*ocitest.Registry, *oci.Client, *oci.Image) {
	t.Helper()
	r := ocitest.Start(t, ocitest.Options{})
	ref := mustRef(t, r.Push(t, "os/web:stable", ocitest.Image(t, ocitest.Spec{Layers: []v1.Layer{ocitest.RandomLayer(t, 7, blobSize)}})))
	c := newClient(r)
	key := newKey(t)
	if _, err := oci.Sign(context.Background(), c, ref, key, oci.SignOptions{}); err != nil {
		t.Fatal(err)
	}
	s, err := c.Fetch(context.Background(), ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := policyFor(t, matchRepository, "", key.Public()).Verify(s, oci.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r, c, img
}

// TestBlob has one row for each way a transfer goes.
func TestBlob(t *testing.T) {
	for name, c := range map[string]struct {
		faults   []ocitest.Fault
		err      error
		want     string
		requests int // 0 means any number
	}{
		"plain":              {nil, nil, "", 1},
		"chunked":            {[]ocitest.Fault{{Chunked: true}}, nil, "", 1},
		"cut once":           {[]ocitest.Fault{{Truncate: 150 << 10, Times: 1}}, nil, "", 2},
		"cut five times":     {[]ocitest.Fault{{Truncate: 64 << 10, Times: 5}}, nil, "", 6},
		"no ranges":          {[]ocitest.Fault{{Truncate: 150 << 10, Times: 1}, {NoRange: true, Chunked: true}}, nil, "", 2},
		"cut at once":        {[]ocitest.Fault{{Status: 503, Times: 2}}, nil, "", 3},
		"503 in the middle":  {[]ocitest.Fault{{Truncate: 64 << 10, Times: 1}, {Status: 503, Times: 1}}, nil, "", 3},
		"stalled once":       {[]ocitest.Fault{{Stall: true, Times: 1}}, nil, "", 2},
		"down":               {[]ocitest.Fault{{Status: 503}}, oci.ErrUnreachable, "503", 3},
		"gone":               {[]ocitest.Fault{{Status: 404}}, oci.ErrNotFound, "", 1},
		"gone in the middle": {[]ocitest.Fault{{Truncate: 64 << 10, Times: 1}, {Status: 404}}, oci.ErrNotFound, "", 2},
		"too long":           {[]ocitest.Fault{{Grow: 1}}, oci.ErrTooLarge, "the registry has", 1},
		"too short":          {[]ocitest.Fault{{Body: []byte("short")}}, oci.ErrDigestMismatch, "the registry has 5", 1},
		"too short, chunked": {[]ocitest.Fault{{Body: []byte("short"), Chunked: true}}, oci.ErrUnreachable, "cut after", 0},
		"wrong range":        {[]ocitest.Fault{{Truncate: 64 << 10, Times: 1}, {Header: map[string]string{"Content-Range": "bytes 0-9/10"}}}, oci.ErrRefused, "asked for bytes from", 2},
		"plain redirect":     {[]ocitest.Fault{{Redirect: "http://127.0.0.1/blob"}}, oci.ErrRedirect, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, client, img := newVerified(t)
			client.TryTimeout = time.Second
			layer := img.Layers()[0]
			for _, f := range c.faults {
				f.Path = "/blobs/" + string(layer.Digest)
				r.Fault(f)
			}
			var last oci.Progress
			client.Progress = func(p oci.Progress) {
				if p.Done <= last.Done || p.Total != layer.Size || p.What != string(layer.Digest) {
					t.Errorf("progress %+v after %+v", p, last)
				}
				last = p
			}
			blob, err := client.Blob(context.Background(), img, layer.Digest, layer.Size)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(blob)
			blob.Close()
			if n := r.Count("GET", "/blobs/"+string(layer.Digest)); c.requests != 0 && n != c.requests {
				t.Errorf("expected %d requests, got %d", c.requests, n)
			}
			if c.err != nil {
				if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("expected %v with %q, got %v", c.err, c.want, err)
				}
				return
			}
			if err != nil || digestOfBytes(data) != string(layer.Digest) || last.Done != layer.Size {
				t.Errorf("got %d of %d bytes, progress %+v, %v", len(data), layer.Size, last, err)
			}
		})
	}
}

func TestBlobRefusals(t *testing.T) {
	_, c, img := newVerified(t)
	layer := img.Layers()[0]
	for name, call := range map[string]struct {
		img    *oci.Image
		digest oci.Digest
		size   int64
		err    error
	}{
		"zero image": {new(oci.Image), layer.Digest, layer.Size, oci.ErrUnsigned},
		"no image":   {nil, layer.Digest, layer.Size, oci.ErrUnsigned},
		"no digest":  {img, "", layer.Size, oci.ErrReference},
		"path":       {img, "../x", layer.Size, oci.ErrReference},
		"negative":   {img, layer.Digest, -1, oci.ErrTooLarge},
		"huge":       {img, layer.Digest, 1 << 60, oci.ErrTooLarge},
	} {
		if _, err := c.Blob(context.Background(), call.img, call.digest, call.size); !errors.Is(err, call.err) {
			t.Errorf("%s: expected %v, got %v", name, call.err, err)
		}
	}
	blob, err := c.Blob(context.Background(), img, layer.Digest, 0)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(blob); err != nil || len(data) != 0 {
		t.Errorf("empty blob: got %d bytes, %v", len(data), err)
	}
}

// TestBlobStops closes early, and cancels.
func TestBlobStops(t *testing.T) {
	r, c, img := newVerified(t)
	layer := img.Layers()[0]
	r.Fault(ocitest.Fault{Path: "/blobs/" + string(layer.Digest), Stall: true})
	blob, err := c.Blob(context.Background(), img, layer.Digest, layer.Size)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(blob, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := blob.Close(); err != nil {
		t.Error(err)
	}
	if _, err := blob.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read after close: expected %v, got %v", io.ErrClosedPipe, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if blob, err = c.Blob(ctx, img, layer.Digest, layer.Size); err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := io.ReadAll(blob); !errors.Is(err, context.Canceled) {
		t.Errorf("expected %v, got %v", context.Canceled, err)
	}
	if n := r.Count("GET", "/blobs/"+string(layer.Digest)); n != 2 {
		t.Errorf("expected 2 requests, got %d", n)
	}
}
