package oci_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

// verifyWith fetches ref and verifies it under a policy that wants every key.
func verifyWith(t *testing.T, c *oci.Client, ref oci.Reference, identity, boot string, keys ...*oci.PublicKey) (*oci.Image, error) {
	t.Helper()
	s, err := c.Fetch(context.Background(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return policyFor(t, identity, boot, keys...).Verify(s, oci.VerifyOptions{})
}

// counted lists format and digest of the signers by key.
func counted(img *oci.Image, key *oci.PublicKey) []string {
	var out []string
	for _, s := range img.Signers() {
		if s.KeyID == key.ID() {
			out = append(out, s.Format+" "+string(s.Signed))
		}
	}
	slices.Sort(out)
	return out
}

// TestSignMerges signs by several keys, several times, and loses nothing.
func TestSignMerges(t *testing.T) {
	for name, o := range map[string]ocitest.Options{"referrers": {}, "no referrers": {NoReferrers: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, o)
			c := newClient(f.registry)
			a, b := newKey(t), newKey(t)
			for i, step := range []struct {
				key   *oci.PrivateKey
				notes map[string]string
				fresh bool
			}{
				{a, nil, true}, {b, nil, true}, {a, nil, false}, {b, nil, false},
				{a, map[string]string{"epoch": "2"}, true}, {a, map[string]string{"epoch": "2"}, false},
			} {
				done, err := oci.Sign(context.Background(), c, f.ref, step.key, oci.SignOptions{Annotations: step.notes})
				if err != nil {
					t.Fatal(err)
				}
				if len(done) != 2 || done[0].New != step.fresh || done[1].New != step.fresh || string(done[0].Digest) != f.index {
					t.Errorf("step %d: expected two signatures, new %v, got %+v", i, step.fresh, done)
				}
			}
			img, err := verifyWith(t, c, f.ref, matchRepository, "", a.Public(), b.Public())
			if err != nil {
				t.Fatal(err)
			}
			if got := counted(img, a.Public()); len(got) != 4 {
				t.Errorf("key a: expected 4 signatures, got %v", got)
			}
			if got := counted(img, b.Public()); len(got) != 2 {
				t.Errorf("key b: expected 2 signatures, got %v", got)
			}
			tag := strings.Replace(f.index, ":", "-", 1)
			if n := f.registry.Count("PUT", "/manifests/"+tag+".sig"); n != 3 {
				t.Errorf("expected 3 writes of the .sig tag, got %d", n)
			}
			wantFallback := 0
			if o.NoReferrers {
				wantFallback = 3
			}
			if n := f.registry.Count("PUT", "/manifests/"+tag) - 3; n != wantFallback {
				t.Errorf("expected %d writes of the referrers tag, got %d", wantFallback, n)
			}
		})
	}
}

// TestSignKeepsOthers has a .sig tag with keys that slipway does not know.
func TestSignKeepsOthers(t *testing.T) {
	f := newFixture(t, ocitest.Options{NoReferrers: true})
	c := newClient(f.registry)
	if _, err := oci.Sign(context.Background(), c, f.ref, newKey(t), oci.SignOptions{}); err != nil {
		t.Fatal(err)
	}
	tag := strings.Replace(f.index, ":", "-", 1)
	for name, key := range map[string]string{tag + ".sig": "layers", tag: "manifests"} {
		var doc map[string]any
		if err := json.Unmarshal(f.registry.Get(t, "/v2/os/web/manifests/"+name), &doc); err != nil {
			t.Fatal(err)
		}
		entry := doc[key].([]any)[0].(map[string]any)
		entry["future"] = map[string]any{"kept": true}
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		f.registry.Put(t, "os/web", name, doc["mediaType"].(string), body)
	}
	if _, err := oci.Sign(context.Background(), c, f.ref, newKey(t), oci.SignOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{tag + ".sig", tag} {
		if text := f.registry.Get(t, "/v2/os/web/manifests/"+name); !strings.Contains(string(text), `"future":{"kept":true}`) {
			t.Errorf("%s lost a key: %s", name, text)
		}
	}
}

// TestSignRecursive signs the instances too: any of the digests will do.
func TestSignRecursive(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	c := newClient(f.registry)
	key := newKey(t)
	done, err := oci.Sign(context.Background(), c, f.ref, key, oci.SignOptions{Formats: oci.FormatTag, Recursive: true})
	if err != nil || len(done) != 3 {
		t.Fatalf("expected 3 signatures, got %+v, %v", done, err)
	}
	img, err := verifyWith(t, c, f.ref, matchRepository, "", key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := counted(img, key.Public()), []string{"tag " + f.index, "tag " + f.instance}; !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("expected %v, got %v", want, got)
	}
}

// TestSignedInstance has a signature on an instance only: on the one that will
// run it counts, on another it does not.
func TestSignedInstance(t *testing.T) {
	for arch, want := range map[string]error{"amd64": nil, "arm64": oci.ErrUnsigned} {
		f := newFixture(t, ocitest.Options{})
		c := newClient(f.registry)
		key := newKey(t)
		ref := mustRef(t, f.ref.Repository()+"@"+f.instance)
		if _, err := oci.Sign(context.Background(), c, ref, key, oci.SignOptions{}); err != nil {
			t.Fatal(err)
		}
		c.Arch = arch
		if _, err := verifyWith(t, c, f.ref, matchRepository, "", key.Public()); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: expected %v, got %v", arch, want, err)
		}
	}
}

// TestSignIdentity checks what the signature says.
func TestSignIdentity(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	c := newClient(f.registry)
	byTag, elsewhere := newKey(t), newKey(t)
	const public = "public.example/os/web:stable"
	ctx := context.Background()
	if _, err := oci.Sign(ctx, c, f.ref, byTag, oci.SignOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := oci.Sign(ctx, c, f.ref, elsewhere, oci.SignOptions{Identity: public, Annotations: map[string]string{"expires": "2099-01-01T00:00:00Z"}}); err != nil {
		t.Fatal(err)
	}
	required := "schema = 1\nref = \"required\"\n"
	img, err := verifyWith(t, c, f.ref, `{"type": "matchExact"}`, required, byTag.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range img.Signers() {
		if !maps.Equal(s.Annotations, map[string]string{"ref": f.ref.String()}) {
			t.Errorf("got %v", s.Annotations)
		}
	}
	if _, err := verifyWith(t, c, f.ref, matchRepository, "", elsewhere.Public()); !errors.Is(err, oci.ErrIdentity) {
		t.Errorf("expected %v, got %v", oci.ErrIdentity, err)
	}
	remap := `{"type": "remapIdentity", "prefix": "` + f.registry.Host() + `", "signedPrefix": "public.example"}`
	if _, err := verifyWith(t, c, f.ref, remap, required, elsewhere.Public()); err != nil {
		t.Error(err)
	}
}

func TestSignRefusals(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	c, key := newClient(f.registry), newKey(t)
	notes := func(k, v string) oci.SignOptions { return oci.SignOptions{Annotations: map[string]string{k: v}} }
	for name, call := range map[string]struct {
		ref oci.Reference
		key *oci.PrivateKey
		o   oci.SignOptions
		err error
	}{
		"zero reference": {oci.Reference{}, key, oci.SignOptions{}, oci.ErrReference},
		"no key":         {f.ref, nil, oci.SignOptions{}, oci.ErrKey},
		"format":         {f.ref, key, oci.SignOptions{Formats: "gpg"}, oci.ErrReference},
		"identity":       {f.ref, key, oci.SignOptions{Identity: "busybox"}, oci.ErrReference},
		"identity case":  {f.ref, key, oci.SignOptions{Identity: "a.b/C"}, oci.ErrReference},
		"epoch":          {f.ref, key, notes("epoch", "soon"), oci.ErrReference},
		"expires":        {f.ref, key, notes("expires", "2027"), oci.ErrReference},
		"ref":            {f.ref, key, notes("ref", "https://x"), oci.ErrReference},
		"not there":      {mustRef(t, f.ref.Repository()+":none"), key, oci.SignOptions{}, oci.ErrNotFound},
		"huge":           {f.ref, key, notes("x", strings.Repeat("x", 100<<10)), oci.ErrTooLarge},
	} {
		if _, err := oci.Sign(context.Background(), c, call.ref, call.key, call.o); !errors.Is(err, call.err) {
			t.Errorf("%s: expected %v, got %v", name, call.err, err)
		}
	}
	f.registry.Fault(ocitest.Fault{Method: "PUT", Status: 403})
	if _, err := oci.Sign(context.Background(), c, f.ref, key, oci.SignOptions{}); !errors.Is(err, oci.ErrDenied) {
		t.Errorf("read-only registry: expected %v, got %v", oci.ErrDenied, err)
	}
	f.registry.Heal()
	f.registry.Fault(ocitest.Fault{Method: "POST", Header: map[string]string{"Location": "http://127.0.0.1/upload"}})
	if _, err := oci.Sign(context.Background(), c, f.ref, key, oci.SignOptions{}); !errors.Is(err, oci.ErrRedirect) {
		t.Errorf("plain upload: expected %v, got %v", oci.ErrRedirect, err)
	}
}
