package oci_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

// login is a keychain with one pair of credentials for every registry.
type login authn.AuthConfig

func (l login) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig(l)), nil
}

// TestLogin pulls from a registry that wants a token.
func TestLogin(t *testing.T) {
	for name, c := range map[string]struct {
		keychain authn.Keychain
		err      error
	}{
		"good":     {login{Username: "u", Password: "p"}, nil},
		"wrong":    {login{Username: "u", Password: "x"}, oci.ErrDenied},
		"none":     {nil, oci.ErrDenied},
		"no entry": {login{}, oci.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, ocitest.Options{User: "u", Password: "p"})
			client := newClient(f.registry)
			client.Keychain = c.keychain
			if _, err := client.Fetch(context.Background(), f.ref); !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("expected %v, got %v", c.err, err)
			}
		})
	}
}

// TestRedirectKeepsSecrets sends the client to another port of the same host,
// which must not see the registry's token.
func TestRedirectKeepsSecrets(t *testing.T) {
	ca := ocitest.NewCA(t)
	f := newFixture(t, ocitest.Options{CA: ca, User: "u", Password: "p"})
	other := ocitest.Start(t, ocitest.Options{CA: ca})
	other.Fault(ocitest.Fault{Path: "/manifests/stable", Body: f.registry.Get(t, "/v2/os/web/manifests/"+f.index), ContentType: ociIndex})
	f.registry.Fault(ocitest.Fault{Path: "/manifests/stable", Redirect: "https://" + other.Host() + "/v2/os/web/manifests/stable"})
	client := newClient(f.registry)
	client.Keychain = login{Username: "u", Password: "p"}
	if _, err := client.Fetch(context.Background(), f.ref); err != nil {
		t.Fatal(err)
	}
	if other.Count("", "/manifests/stable") != 1 {
		t.Error("the redirect was not followed")
	}
	for _, q := range other.Requests() {
		if q.Authorization != "" {
			t.Errorf("the other port saw %+v", q)
		}
	}
	seen := false
	for _, q := range f.registry.Requests() {
		seen = seen || strings.HasPrefix(q.Authorization, "Bearer ")
	}
	if !seen {
		t.Error("the registry itself saw no token")
	}
}

// TestRealmElsewhere has a registry whose token server is another host.
func TestRealmElsewhere(t *testing.T) {
	for name, listed := range map[string]bool{"not listed": false, "listed": true} {
		t.Run(name, func(t *testing.T) {
			const host, tokens = "registry.example", "tokens.example"
			ca := ocitest.NewCA(t)
			f := newFixture(t, ocitest.Options{CA: ca, Names: []string{host}, User: "u", Password: "p"})
			realm := ocitest.Start(t, ocitest.Options{CA: ca, Names: []string{tokens}, User: "u", Password: "p"})
			f.registry.SetRealm("https://" + tokens + "/token")
			client := newClient(f.registry)
			client.Keychain = login{Username: "u", Password: "p"}
			client.Dial = ocitest.Dial(map[string]*ocitest.Registry{host + ":443": f.registry, tokens + ":443": realm})
			if listed {
				client.Realms = []string{tokens}
			}
			_, err := client.Fetch(context.Background(), mustRef(t, host+"/os/web:stable"))
			if (err == nil) != listed || !listed && !errors.Is(err, oci.ErrDenied) {
				t.Errorf("got %v", err)
			}
			for _, q := range realm.Requests() {
				if (q.Authorization != "") != listed {
					t.Errorf("the token server saw %+v", q)
				}
			}
		})
	}
}

// TestRealmPlainHTTP refuses to ask for a token without TLS.
func TestRealmPlainHTTP(t *testing.T) {
	f := newFixture(t, ocitest.Options{User: "u", Password: "p"})
	f.registry.SetRealm("http://" + f.registry.Host() + "/token")
	client := newClient(f.registry)
	client.Keychain = login{Username: "u", Password: "p"}
	if _, err := client.Fetch(context.Background(), f.ref); !errors.Is(err, oci.ErrDenied) {
		t.Errorf("expected %v, got %v", oci.ErrDenied, err)
	}
}

// mirrored is a registry registry.example with a signed image, and a mirror of
// it.
type mirrored struct {
	origin, mirror *ocitest.Registry
	client         *oci.Client
	ref            oci.Reference
	policy         *oci.Policy
}

func newMirrored(t *testing.T, o oci.SignOptions) mirrored {
	t.Helper()
	ca := ocitest.NewCA(t)
	m := mirrored{
		origin: ocitest.Start(t, ocitest.Options{CA: ca, Names: []string{"registry.example"}}),
		mirror: ocitest.Start(t, ocitest.Options{CA: ca, Names: []string{"mirror.example"}}),
		ref:    mustRef(t, "registry.example/os/web:stable"),
	}
	img := ocitest.Image(t, ocitest.Spec{Layers: []v1.Layer{ocitest.RandomLayer(t, 3, 300<<10)}})
	m.origin.Push(t, "os/web:stable", img)
	m.mirror.Push(t, "cache/os/web:stable", img)
	m.client = newClient(m.origin)
	m.client.Tries = 1
	m.client.Dial = ocitest.Dial(map[string]*ocitest.Registry{"registry.example:443": m.origin, "mirror.example:443": m.mirror})
	key := newKey(t)
	if _, err := oci.Sign(context.Background(), m.client, m.ref, key, o); err != nil {
		t.Fatal(err)
	}
	m.client.Mirrors = []oci.Mirror{
		{Prefix: "registry.example/other", Location: "wrong.example"},
		{Prefix: "registry.example/os", Location: "mirror.example/cache/os"},
		{Prefix: "registry.exam", Location: "wrong.example"},
	}
	m.policy = policyFor(t, `{"type": "matchRepoDigestOrExact"}`, "", key.Public())
	return m
}

// TestMirror checks the logical name, takes bytes from the mirror and
// signatures from both.
func TestMirror(t *testing.T) {
	ctx := context.Background()
	t.Run("signatures at the origin", func(t *testing.T) {
		m := newMirrored(t, oci.SignOptions{})
		s, err := m.client.Fetch(ctx, m.ref)
		if err != nil {
			t.Fatal(err)
		}
		img, err := m.policy.Verify(s, oci.VerifyOptions{})
		if err != nil || img.Reference() != m.ref {
			t.Fatal(err)
		}
		if m.mirror.Count("", "/manifests/stable") != 1 || m.origin.Count("GET", "/manifests/stable") != 1 {
			t.Error("the manifest did not come from the mirror") // the origin's one request is Sign's
		}
		read := func() error {
			blob, err := m.client.Blob(ctx, img, img.Layers()[0].Digest, img.Layers()[0].Size)
			if err != nil {
				return err
			}
			defer blob.Close()
			data, err := io.ReadAll(blob)
			if digestOfBytes(data) != string(img.Layers()[0].Digest) {
				t.Error("wrong bytes")
			}
			return err
		}
		if err := read(); err != nil || m.mirror.Count("GET", "/blobs/"+string(img.Layers()[0].Digest)) != 1 {
			t.Errorf("blob from the mirror: %v", err)
		}
		m.mirror.Fault(ocitest.Fault{Path: "/blobs/", Truncate: 100 << 10})
		if err := read(); err != nil || m.origin.Count("GET", "/blobs/"+string(img.Layers()[0].Digest)) != 1 {
			t.Errorf("blob from the origin after the mirror was cut: %v", err)
		}
	})
	t.Run("mirror down", func(t *testing.T) {
		m := newMirrored(t, oci.SignOptions{})
		m.mirror.Close()
		if _, err := m.client.Fetch(ctx, m.ref); err != nil {
			t.Error(err)
		}
	})
	t.Run("mirror lies", func(t *testing.T) {
		m := newMirrored(t, oci.SignOptions{})
		m.mirror.Fault(ocitest.Fault{Path: "/manifests/stable", Body: []byte("{}"), ContentType: ociManifest})
		if _, err := m.client.Fetch(ctx, m.ref); err != nil {
			t.Error(err)
		}
	})
	t.Run("both down", func(t *testing.T) {
		m := newMirrored(t, oci.SignOptions{})
		m.mirror.Close()
		m.origin.Close()
		_, err := m.client.Fetch(ctx, m.ref)
		if !errors.Is(err, oci.ErrUnreachable) || !strings.Contains(err.Error(), "mirror mirror.example/cache/os/web") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("origin down, signature at the mirror", func(t *testing.T) {
		m := newMirrored(t, oci.SignOptions{})
		key := newKey(t)
		direct := newClient(m.mirror)
		direct.Dial = m.client.Dial
		at := mustRef(t, "mirror.example/cache/os/web:stable")
		if _, err := oci.Sign(ctx, direct, at, key, oci.SignOptions{Identity: m.ref.String()}); err != nil {
			t.Fatal(err)
		}
		m.origin.Close()
		s, err := m.client.Fetch(ctx, m.ref)
		if err != nil {
			t.Fatal(err)
		}
		img, err := policyFor(t, `{"type": "matchExact"}`, "", key.Public()).Verify(s, oci.VerifyOptions{})
		if err != nil || len(img.Signers()) != 2 {
			t.Fatalf("expected two signers, got %v", err)
		}
		reported := 0
		for _, f := range img.Findings() {
			if f.Format == "" && strings.Contains(f.Reason, "unreachable") {
				reported++
			}
		}
		if reported != 3 {
			t.Errorf("expected three unreadable places to be reported, got %+v", img.Findings())
		}
	})
}

func TestMirrorValidate(t *testing.T) {
	for name, c := range map[string]struct {
		mirror oci.Mirror
		good   bool
	}{
		"hosts":      {oci.Mirror{Prefix: "a.example", Location: "b.example:5000"}, true},
		"paths":      {oci.Mirror{Prefix: "a.example/x", Location: "b.example/y/x"}, true},
		"slash":      {oci.Mirror{Prefix: "a.example/", Location: "b.example"}, false},
		"scheme":     {oci.Mirror{Prefix: "a.example", Location: "https://b.example"}, false},
		"tag":        {oci.Mirror{Prefix: "a.example/x:y", Location: "b.example"}, false},
		"no host":    {oci.Mirror{Prefix: "busybox", Location: "b.example"}, false},
		"upper case": {oci.Mirror{Prefix: "A.example", Location: "b.example"}, false},
		"empty":      {oci.Mirror{}, false},
	} {
		if err := c.mirror.Validate(); (err == nil) != c.good || err != nil && !errors.Is(err, oci.ErrReference) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestShortNames has names at the lower end of what is allowed.
func TestShortNames(t *testing.T) {
	r := ocitest.Start(t, ocitest.Options{})
	body := ocitest.Image(t, ocitest.Spec{})
	raw, err := body.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := body.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	r.PutBlob(t, "a", digestOfBytes(config), config)
	r.Put(t, "a", "1", ociManifest, raw)
	if _, err := newClient(r).Fetch(context.Background(), mustRef(t, r.Host()+"/a:1")); err != nil {
		t.Error(err)
	}
}

// TestNoQueryInErrors keeps what a redirect's query may hold out of messages.
func TestNoQueryInErrors(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	f.registry.Fault(ocitest.Fault{Path: "/manifests/stable", Redirect: "https://127.0.0.1:1/x?signature=secret"})
	_, err := newClient(f.registry).Fetch(context.Background(), f.ref)
	if !errors.Is(err, oci.ErrUnreachable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
