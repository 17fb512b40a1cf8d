package oci_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

const (
	ociManifest = string(types.OCIManifestSchema1)
	ociIndex    = string(types.OCIImageIndex)
)

func digestOfBytes(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// fixture is a registry with an index at os/web:stable and what is in it.
type fixture struct {
	registry        *ocitest.Registry
	ref             oci.Reference
	index, instance string // digests
	config          string
}

func newFixture(t *testing.T, o ocitest.Options) fixture {
	t.Helper()
	r := ocitest.Start(t, o)
	img := ocitest.Image(t, ocitest.Spec{Layers: []v1.Layer{ocitest.Layer(t, map[string]string{"a": "b"})}})
	index := ocitest.Index(t, ocitest.Image(t, ocitest.Spec{Arch: "arm64"}), img)
	f := fixture{registry: r, ref: mustRef(t, r.Push(t, "os/web:stable", index))}
	top, err1 := index.Digest()
	instance, err2 := img.Digest()
	config, err3 := img.ConfigName()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	f.index, f.instance, f.config = top.String(), instance.String(), config.String()
	return f
}

func (f fixture) byDigest(t *testing.T) oci.Reference {
	return mustRef(t, f.ref.Repository()+"@"+f.index)
}

// TestFetchErrors has one row for each way a fetch ends.
func TestFetchErrors(t *testing.T) {
	type change func(t *testing.T, f *fixture, c *oci.Client)
	fault := func(fault ocitest.Fault) change {
		return func(_ *testing.T, f *fixture, _ *oci.Client) { f.registry.Fault(fault) }
	}
	manifest := "/manifests/stable"
	for name, c := range map[string]struct {
		change change
		err    error // nil is success
		not    error
		want   string
	}{
		"plain":          {fault(ocitest.Fault{Path: "nothing"}), nil, nil, ""},
		"by digest":      {func(t *testing.T, f *fixture, _ *oci.Client) { f.ref = f.byDigest(t) }, nil, nil, ""},
		"tag and digest": {func(t *testing.T, f *fixture, _ *oci.Client) { f.ref = mustRef(t, f.ref.String()+"@"+f.index) }, nil, nil, ""},
		"zero reference": {func(_ *testing.T, f *fixture, _ *oci.Client) { f.ref = oci.Reference{} }, oci.ErrReference, nil, ""},
		"no such tag":    {func(t *testing.T, f *fixture, _ *oci.Client) { f.ref = mustRef(t, f.ref.Repository()+":none") }, oci.ErrNotFound, nil, ""},
		"no such digest": {func(t *testing.T, f *fixture, _ *oci.Client) { f.ref = mustRef(t, f.ref.Repository()+"@"+f.config) }, oci.ErrNotFound, nil, ""},
		"denied":         {fault(ocitest.Fault{Path: manifest, Status: 403}), oci.ErrDenied, nil, "ocitest fault"},
		"bad request":    {fault(ocitest.Fault{Path: manifest, Status: 400}), oci.ErrRefused, nil, "400"},
		"500 for ever":   {fault(ocitest.Fault{Path: manifest, Status: 500}), oci.ErrUnreachable, nil, "500"},
		"503 twice":      {fault(ocitest.Fault{Path: manifest, Status: 503, Times: 2}), nil, nil, ""},
		"429 twice":      {fault(ocitest.Fault{Path: manifest, Status: 429, Times: 2, Header: map[string]string{"Retry-After": "0"}}), nil, nil, ""},
		"login 503 once": {fault(ocitest.Fault{Path: "/v2/", Status: 503, Times: 1}), nil, nil, ""},
		"login 503":      {fault(ocitest.Fault{Path: "/v2/", Status: 503}), oci.ErrUnreachable, oci.ErrRedirect, "503"},
		"cut once":       {fault(ocitest.Fault{Path: manifest, Truncate: 50, Times: 1}), nil, nil, ""},
		"cut for ever":   {fault(ocitest.Fault{Path: manifest, Truncate: 50}), oci.ErrUnreachable, nil, ""},
		"stalled":        {shortly(fault(ocitest.Fault{Path: manifest, Stall: true})), oci.ErrUnreachable, nil, ""},
		"stalled once":   {shortly(fault(ocitest.Fault{Path: manifest, Stall: true, Times: 1})), nil, nil, ""},
		"registry down":  {func(_ *testing.T, f *fixture, _ *oci.Client) { f.registry.Close() }, oci.ErrUnreachable, nil, "refused"},
		"no such host": {func(t *testing.T, f *fixture, c *oci.Client) {
			f.ref, c.Dial = mustRef(t, "no.example/a:b"), ocitest.Dial(nil)
		}, oci.ErrUnreachable, nil, "no such host"},
		"another CA":   {func(t *testing.T, _ *fixture, c *oci.Client) { c.Roots = ocitest.NewCA(t).Roots() }, oci.ErrCertificate, oci.ErrClock, "unknown authority"},
		"clock behind": {clock(-2 * 365 * 24 * time.Hour), oci.ErrClock, nil, "not yet valid"},
		"clock ahead":  {clock(2 * 365 * 24 * time.Hour), oci.ErrCertificate, nil, "expired"},
		"another name": {func(t *testing.T, f *fixture, c *oci.Client) { rename(t, f, c, "other.example") }, oci.ErrCertificate, oci.ErrClock, "other.example"},
		"plain HTTP":   {plainHTTP, oci.ErrUnreachable, oci.ErrRedirect, "HTTP response"},
		"too large":    {fault(ocitest.Fault{Path: manifest, Grow: 5 << 20}), oci.ErrTooLarge, nil, "at most 4194304"},
		"endless":      {fault(ocitest.Fault{Path: manifest, Grow: 5 << 20, Chunked: true}), oci.ErrTooLarge, nil, "at most 4194304"},
		"wrong bytes": {func(t *testing.T, f *fixture, _ *oci.Client) {
			f.ref = f.byDigest(t)
			f.registry.Fault(ocitest.Fault{Path: f.index, Corrupt: true})
		}, oci.ErrDigestMismatch, nil, "expected sha256:"},
		"wrong type":   {fault(ocitest.Fault{Path: manifest, ContentType: ociManifest}), oci.ErrManifest, nil, "calls itself"},
		"unknown type": {fault(ocitest.Fault{Path: manifest, ContentType: "text/html"}), oci.ErrManifest, nil, "text/html"},
		"no type":      {fault(ocitest.Fault{Path: manifest, ContentType: ";"}), oci.ErrManifest, nil, "content type"},
		"no JSON":      {fault(ocitest.Fault{Path: manifest, Body: []byte("<html>"), ContentType: ociIndex}), oci.ErrManifest, nil, "line 1"},
		"instance bytes": {func(_ *testing.T, f *fixture, _ *oci.Client) {
			f.registry.Fault(ocitest.Fault{Path: f.instance, Corrupt: true})
		}, oci.ErrDigestMismatch, nil, "instance for amd64"},
		"instance gone": {func(_ *testing.T, f *fixture, _ *oci.Client) {
			f.registry.Fault(ocitest.Fault{Path: f.instance, Status: 404})
		}, oci.ErrNotFound, nil, "instance for amd64"},
		"config bytes": {func(_ *testing.T, f *fixture, _ *oci.Client) {
			f.registry.Fault(ocitest.Fault{Path: f.config, Corrupt: true})
		}, oci.ErrDigestMismatch, nil, "config"},
		"config short": {func(_ *testing.T, f *fixture, _ *oci.Client) {
			f.registry.Fault(ocitest.Fault{Path: f.config, Body: []byte("{}")})
		}, oci.ErrDigestMismatch, nil, "2 bytes"},
		"config long": {func(_ *testing.T, f *fixture, _ *oci.Client) {
			f.registry.Fault(ocitest.Fault{Path: f.config, Grow: 1})
		}, oci.ErrTooLarge, nil, "config"},
		"another arch":    {func(_ *testing.T, _ *fixture, c *oci.Client) { c.Arch = "riscv64" }, oci.ErrArch, nil, "expected linux/riscv64, the index has linux/arm64, linux/amd64"},
		"HTTP redirect":   {fault(ocitest.Fault{Path: manifest, Redirect: "http://127.0.0.1/x"}), oci.ErrRedirect, oci.ErrUnreachable, "expected https"},
		"redirect circle": {fault(ocitest.Fault{Path: manifest, Redirect: "/v2/os/web/manifests/stable"}), oci.ErrRedirect, nil, "more than 5"},
		"file redirect":   {fault(ocitest.Fault{Path: manifest, Redirect: "file:///etc/passwd"}), oci.ErrRedirect, nil, "expected https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, ocitest.Options{})
			client := newClient(f.registry)
			c.change(t, &f, client)
			s, err := client.Fetch(context.Background(), f.ref)
			if c.err == nil {
				if err != nil || s.UnverifiedDigest().String() != f.index || s.Reference() != f.ref {
					t.Errorf("expected success, got %v", err)
				}
				return
			}
			if !errors.Is(err, c.err) || c.not != nil && errors.Is(err, c.not) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("expected %v with %q, got %v", c.err, c.want, err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the message has more than one line: %q", err)
			}
		})
	}
}

// shortly makes the client impatient.
func shortly(next func(*testing.T, *fixture, *oci.Client)) func(*testing.T, *fixture, *oci.Client) {
	return func(t *testing.T, f *fixture, c *oci.Client) {
		c.TryTimeout = 300 * time.Millisecond
		next(t, f, c)
	}
}

func clock(off time.Duration) func(*testing.T, *fixture, *oci.Client) {
	return func(_ *testing.T, _ *fixture, c *oci.Client) {
		c.Now = func() time.Time { return time.Now().Add(off) }
	}
}

// rename makes the registry reachable under another name only.
func rename(t *testing.T, f *fixture, c *oci.Client, host string) {
	f.ref = mustRef(t, host+"/os/web:stable")
	c.Dial = ocitest.Dial(map[string]*ocitest.Registry{host + ":443": f.registry})
}

func plainHTTP(t *testing.T, f *fixture, _ *oci.Client) {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	f.ref = mustRef(t, s.Listener.Addr().String()+"/os/web:stable")
}

func TestFetchCancelled(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	f.registry.Fault(ocitest.Fault{Path: "/manifests/stable", Stall: true})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := newClient(f.registry).Fetch(ctx, f.ref); !errors.Is(err, context.Canceled) || errors.Is(err, oci.ErrUnreachable) {
		t.Errorf("expected %v, got %v", context.Canceled, err)
	}
}

// TestFetchTries counts requests and notices.
func TestFetchTries(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	f.registry.Fault(ocitest.Fault{Path: "/manifests/stable", Status: 502})
	c := newClient(f.registry)
	c.Tries = 4
	var notices []oci.Retry
	c.OnRetry = func(r oci.Retry) { notices = append(notices, r) }
	if _, err := c.Fetch(context.Background(), f.ref); !errors.Is(err, oci.ErrUnreachable) {
		t.Fatalf("expected %v, got %v", oci.ErrUnreachable, err)
	}
	if n := f.registry.Count("GET", "/manifests/stable"); n != 4 || len(notices) != 3 {
		t.Errorf("expected 4 requests and 3 notices, got %d and %+v", n, notices)
	}
	if last := notices[len(notices)-1]; last.Try != 3 || last.Tries != 4 || last.Err == nil || !strings.HasPrefix(last.What, "https://") {
		t.Errorf("got %+v", last)
	}
}

// TestResolveOnce checks that the tag is asked for once and everything else
// by digest, so that a tag that moves meanwhile changes nothing.
func TestResolveOnce(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	if _, err := newClient(f.registry).Fetch(context.Background(), f.ref); err != nil {
		t.Fatal(err)
	}
	for _, q := range f.registry.Requests() {
		if q.Path == "/v2/" || strings.Contains(q.Path, "sha256") {
			continue
		}
		if q.Path != "/v2/os/web/manifests/stable" {
			t.Errorf("unexpected request %+v", q)
		}
	}
	if n := f.registry.Count("", "/manifests/stable"); n != 1 {
		t.Errorf("expected one request for the tag, got %d", n)
	}
}

// manifestOf makes the text of an image manifest and edits it.
func manifestOf(t *testing.T, f fixture, edit ...string) string {
	t.Helper()
	text := string(f.registry.Get(t, "/v2/os/web/manifests/"+f.instance))
	for i := 0; i+1 < len(edit); i += 2 {
		if !strings.Contains(text, edit[i]) {
			t.Fatalf("%q is not in %s", edit[i], text)
		}
		text = strings.Replace(text, edit[i], edit[i+1], 1)
	}
	return text
}

// TestManifests has documents that are not what they seem.
func TestManifests(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	index := string(f.registry.Get(t, "/v2/os/web/manifests/"+f.index))
	for name, c := range map[string]struct {
		text, mediaType string
		err             error
		want            string
	}{
		"good":                {manifestOf(t, f), ociManifest, nil, ""},
		"good with charset":   {manifestOf(t, f), ociManifest + "; charset=utf-8", nil, ""},
		"no own type":         {manifestOf(t, f, `"mediaType":"`+ociManifest+`",`, ""), ociManifest, nil, ""},
		"docker without type": {manifestOf(t, f, `"mediaType":"`+ociManifest+`",`, ""), string(types.DockerManifestSchema2), oci.ErrManifest, "calls itself"},
		"unknown key":         {manifestOf(t, f, `{"schema`, `{"future":{"x":1},"schema`), ociManifest, nil, ""},
		"ambiguous":           {manifestOf(t, f, `{"schema`, `{"manifests":[],"schema`), ociManifest, oci.ErrManifest, "ambiguous"},
		"ambiguous index":     {strings.Replace(index, `{"schema`, `{"layers":[],"schema`, 1), ociIndex, oci.ErrManifest, "ambiguous"},
		"index with config":   {strings.Replace(index, `"manifests"`, `"config":{"mediaType":"x","size":2,"digest":"`+f.config+`"},"x"`, 1), ociIndex, oci.ErrManifest, "an index with the keys"},
		"schema 1 keys":       {manifestOf(t, f, `{"schema`, `{"fsLayers":[],"schema`), ociManifest, oci.ErrManifest, "ambiguous"},
		"duplicate":           {manifestOf(t, f, `{"schema`, `{"layers":[],"schema`), ociManifest, oci.ErrManifest, `key "layers" twice`},
		"case-folded":         {manifestOf(t, f, `{"schema`, `{"Layers":[],"schema`), ociManifest, oci.ErrManifest, "by case only"},
		"case-folded deep":    {manifestOf(t, f, `"digest"`, `"Digest":"x","digest"`), ociManifest, oci.ErrManifest, "by case only"},
		"invalid UTF-8":       {manifestOf(t, f, `{"schema`, "{\"x\":\"\xff\",\"schema"), ociManifest, oci.ErrManifest, "UTF-8"},
		"data after":          {manifestOf(t, f) + "{}", ociManifest, oci.ErrManifest, "data after"},
		"schema 1":            {manifestOf(t, f, `"schemaVersion":2`, `"schemaVersion":1`), ociManifest, oci.ErrManifest, "schema version"},
		"sha512":              {manifestOf(t, f, `"digest":"sha256:`, `"digest":"sha512:`), ociManifest, oci.ErrManifest, "expected sha256"},
		"traversal":           {manifestOf(t, f, `"digest":"sha256:`, `"digest":"../sha256:`), ociManifest, oci.ErrManifest, "expected sha256"},
		"negative size":       {manifestOf(t, f, `"size":`, `"size":-`), ociManifest, oci.ErrManifest, "expected a size"},
		"huge size":           {manifestOf(t, f, `"size":`, `"size":99999999999999`), ociManifest, oci.ErrManifest, "expected a size"},
		"no config":           {manifestOf(t, f, `"config"`, `"konfig"`), ociManifest, oci.ErrManifest, "without config"},
		"index as manifest":   {index, ociManifest, oci.ErrManifest, "calls itself"},
		"artifact config":     {manifestOf(t, f, string(types.OCIConfigJSON), string(types.OCIEmptyJSON)), ociManifest, oci.ErrManifest, "is no image config"},
		"layer too many":      {manifestOf(t, f, `"layers":[`, `"layers":[{"mediaType":"x","size":1,"digest":"`+f.config+`"},`), ociManifest, oci.ErrManifest, "expected 2 layers, the config has 1"},
		"layers over limit": {manifestOf(t, f, `"layers":[`, `"layers":[`+strings.Repeat(`{"mediaType":"x","size":1,"digest":"`+f.config+`"},`, 1024)),
			ociManifest, oci.ErrManifest, "at most 1024 layers"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, ocitest.Options{})
			digest := digestOfBytes([]byte(c.text))
			f.registry.Fault(ocitest.Fault{Path: "/manifests/" + digest, Body: []byte(c.text), ContentType: c.mediaType})
			_, err := newClient(f.registry).Fetch(context.Background(), mustRef(t, f.ref.Repository()+"@"+digest))
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("expected %v with %q, got %v", c.err, c.want, err)
			}
		})
	}
}

// TestArchitecture checks that the config is believed, not the index.
func TestArchitecture(t *testing.T) {
	r := ocitest.Start(t, ocitest.Options{})
	arm := ocitest.Image(t, ocitest.Spec{Arch: "arm64"})
	lying := ocitest.Index(t, arm)
	raw, err := lying.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	r.Push(t, "os/web:honest", lying)
	r.Push(t, "os/web:single", arm)
	r.Push(t, "os/web:windows", ocitest.Image(t, ocitest.Spec{OS: "windows"}))
	r.Put(t, "os/web", "lying", ociIndex, []byte(strings.ReplaceAll(string(raw), "arm64", "amd64")))
	for _, tag := range []string{"honest", "single", "windows", "lying"} {
		_, err := newClient(r).Fetch(context.Background(), mustRef(t, r.Host()+"/os/web:"+tag))
		if !errors.Is(err, oci.ErrArch) || !strings.Contains(err.Error(), "expected linux/amd64") {
			t.Errorf("%s: expected %v, got %v", tag, oci.ErrArch, err)
		}
	}
}

// TestVariants checks which of several instances is taken.
func TestVariants(t *testing.T) {
	r := ocitest.Start(t, ocitest.Options{})
	images := map[string]v1.Image{}
	var list []map[string]any
	for _, variant := range []string{"v3", "", "v2"} {
		img := ocitest.Image(t, ocitest.Spec{Labels: map[string]string{"variant": variant}})
		images[variant] = img
		r.Push(t, "os/web:tmp"+variant, img)
		digest, err1 := img.Digest()
		size, err2 := img.Size()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		list = append(list, map[string]any{
			"mediaType": ociManifest, "digest": digest.String(), "size": size,
			"platform": map[string]string{"os": "linux", "architecture": "amd64", "variant": variant},
		})
	}
	for tag, c := range map[string]struct {
		entries []map[string]any
		want    string
	}{"all": {list, ""}, "variants": {[]map[string]any{list[0], list[2]}, "v3"}} {
		body, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": ociIndex, "manifests": c.entries})
		if err != nil {
			t.Fatal(err)
		}
		r.Put(t, "os/web", tag, ociIndex, body)
		key := newKey(t)
		client := newClient(r)
		ref := mustRef(t, r.Host()+"/os/web:"+tag)
		if _, err := oci.Sign(context.Background(), client, ref, key, oci.SignOptions{}); err != nil {
			t.Fatal(err)
		}
		s, err := client.Fetch(context.Background(), ref)
		if err != nil {
			t.Fatal(err)
		}
		img, err := policyFor(t, matchRepository, "", key.Public()).Verify(s, oci.VerifyOptions{})
		if err != nil || img.Labels()["variant"] != c.want {
			t.Errorf("%s: expected variant %q, got %v, %v", tag, c.want, img.Labels(), err)
		}
	}
}
