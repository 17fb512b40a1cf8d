package oci

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

const samplesDir = "testdata/signatures/"

// waived is a boot policy under which bundles need no name.
const waived = "schema = 1\nbundle-identity = \"waived\"\n"

// sampleFetch serves the files of a folder of samples byte by byte and lets
// the client collect the signatures.
func sampleFetch(t *testing.T, folder, repository string) *Signed {
	t.Helper()
	dir := samplesDir + folder + "/"
	digest := Digest(strings.TrimSpace(string(readFile(t, dir+"subject.digest"))))
	if got := sha256Of(readFile(t, dir+"subject.json")); got != digest {
		t.Fatalf("subject: expected %s, got %s", digest, got)
	}
	r := ocitest.Start(t, ocitest.Options{NoReferrers: true})
	serve := func(path string, mediaType types.MediaType, body []byte) {
		r.Fault(ocitest.Fault{Path: path, Body: body, ContentType: string(mediaType)})
	}
	for _, glob := range []string{"*.payload.json", "*.bundle.json"} {
		files, _ := filepath.Glob(dir + glob)
		for _, f := range files {
			serve("/blobs/"+string(sha256Of(readFile(t, f))), "application/octet-stream", readFile(t, f))
		}
	}
	files, _ := filepath.Glob(dir + "referrer*.manifest.json")
	for _, f := range files {
		serve("/manifests/"+string(sha256Of(readFile(t, f))), types.OCIManifestSchema1, readFile(t, f))
	}
	for _, s := range []struct {
		file, path string
		mediaType  types.MediaType
	}{
		{"tag-sig.manifest.json", "/manifests/" + tagOf(digest) + ".sig", types.OCIManifestSchema1},
		{"referrers.index.json", "/referrers/" + string(digest), types.OCIImageIndex},
		{"referrers-fallback-tag.index.json", "/manifests/" + tagOf(digest), types.OCIImageIndex},
	} {
		if body, err := os.ReadFile(dir + s.file); err == nil {
			serve(s.path, s.mediaType, body)
		} else {
			r.Fault(ocitest.Fault{Path: s.path, Status: 404})
		}
	}
	ref, err := ParseReference(repository + ":stable")
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{
		Roots: r.Roots(), Tries: 1,
		Dial: ocitest.Dial(map[string]*ocitest.Registry{ref.host: r}),
	}
	s := &Signed{ref: ref, top: digest, instance: digest, sources: []endpoint{{ref.host, ref.path}}}
	c.collect(context.Background(), s)
	return s
}

// TestSamples verifies what the real tools signed; testdata/signatures/README.md
// says how each was made.
func TestSamples(t *testing.T) {
	const both = "bundle tag"
	name := func(kind, key, value string) string { return fmt.Sprintf(`{"type":%q,%q:%q}`, kind, key, value) }
	repository := `{"type":"matchRepository"}`
	for _, c := range []struct {
		folder, repository, identity, boot string
		counted                            string // formats that count
		err                                error
	}{
		{"index-p256", "127.0.0.1:5050/os/bootc", repository, waived, both, nil},
		{"index-p256", "127.0.0.1:5050/os/bootc", repository, "", "tag", nil},
		{"index-p256", "127.0.0.1:5050/os/bootc", `{"type":"matchRepoDigestOrExact"}`, "", "", ErrIdentity},
		{"index-fallback-tag", "127.0.0.1:5051/os/bootc", repository, waived, "bundle", nil},
		{"index-fallback-tag", "127.0.0.1:5051/os/bootc", repository, "", "", ErrIdentity},
		{"index-fallback-tag", "127.0.0.1:5051/os/bootc", name("exactRepository", "dockerRepository", "127.0.0.1:5050/os/bootc"), waived, both, nil},
		{"manifest-p256", "127.0.0.1:5050/k/p256", repository, waived, both, nil},
		{"manifest-rsa2048", "127.0.0.1:5050/k/rsa2048", repository, waived, both, nil},
		{"manifest-rsa4096", "127.0.0.1:5050/k/rsa4096", repository, waived, both, nil},
		{"annotated", "127.0.0.1:5050/ann/os", repository, waived + "epoch = 7\n", both, nil},
		{"annotated", "127.0.0.1:5050/ann/os", repository, waived + "epoch = 8\n", "", ErrEpoch},
		{"annotated", "127.0.0.1:5050/ann/os", repository, waived + "expires = \"required\"\n", "", ErrExpired},
		{"annotated", "127.0.0.1:5050/ann/os", repository, waived + "ref = \"required\"\n", "", ErrIdentity},
		{"two-keys", "127.0.0.1:5050/two/os", repository, waived, both, nil},
		{"recursive-bundle", "127.0.0.1:5050/rec/os", repository, waived, "bundle", nil},
		{"recursive-bundle", "127.0.0.1:5050/rec/os", repository, "", "", ErrIdentity},
		{"attestation-not-signature", "127.0.0.1:5050/att/os", repository, waived, "", ErrBadSignature},
		{"wrong-repo-tagsig", "127.0.0.1:5050/evil/x", repository, waived, "", ErrIdentity},
		{"wrong-repo-bundle", "127.0.0.1:5050/evil/y", repository, "", "", ErrIdentity},
		{"wrong-repo-bundle", "127.0.0.1:5050/evil/y", repository, waived, "bundle", nil},
		{"cosign-v2-default", "127.0.0.1:5050/v2/os", repository, "", "tag", nil},
	} {
		title := c.folder + " " + c.identity + " " + c.boot
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			key := base64.StdEncoding.EncodeToString(readFile(t, samplesDir+c.folder+"/key.pub"))
			text := fmt.Sprintf(`{"default":[{"type":"sigstoreSigned","keyData":%q,"signedIdentity":%s}]}`, key, c.identity)
			boot := c.boot
			if boot == "" {
				boot = "schema = 1\n"
			}
			p, err := ParsePolicy([]byte(text), []byte(boot), nil)
			if err != nil {
				t.Fatal(err)
			}
			s := sampleFetch(t, c.folder, c.repository)
			if len(s.problems) > 0 {
				t.Errorf("problems: %+v", s.problems)
			}
			v := p.judge(s.ref, s.signatures, VerifyOptions{})
			if !errors.Is(v.err, c.err) || (v.err == nil) != (c.err == nil) {
				t.Errorf("expected %v, got %v", c.err, v.err)
			}
			formats := map[string]bool{}
			for _, signer := range v.signers {
				formats[signer.Format] = true
			}
			if got := strings.Join(slices.Sorted(maps.Keys(formats)), " "); got != c.counted {
				t.Errorf("expected %q to count, got %q: %+v", c.counted, got, v.findings)
			}
		})
	}
}

// TestSamplesRefusedKeys has the samples whose keys are refused before any
// signature is looked at.
func TestSamplesRefusedKeys(t *testing.T) {
	for _, folder := range []string{"manifest-p384", "manifest-p521", "manifest-ed25519"} {
		key := base64.StdEncoding.EncodeToString(readFile(t, samplesDir+folder+"/key.pub"))
		_, err := ParsePolicy(fmt.Appendf(nil, `{"default":[{"type":"sigstoreSigned","keyData":%q}]}`, key), nil, nil)
		if !errors.Is(err, ErrPolicy) || !errors.Is(err, ErrKey) {
			t.Errorf("%s: expected %v, got %v", folder, ErrKey, err)
		}
	}
}

// TestSampleThreshold checks two of three keys, spelled as stock policy.json
// spells it, against signatures by two of them and by one.
func TestSampleThreshold(t *testing.T) {
	s := sampleFetch(t, "two-keys", "127.0.0.1:5050/two/os")
	policy := readFile(t, samplesDir+"two-keys/policy-2of3.json")
	for _, boot := range []string{"schema = 1\n", waived} {
		p, err := ParsePolicy(policy, []byte(boot), testKeys)
		if err != nil {
			t.Fatal(err)
		}
		v := p.judge(s.ref, s.signatures, VerifyOptions{})
		if v.err != nil {
			t.Errorf("%q: %v", boot, v.err)
		}
		for _, signer := range v.signers {
			one := slices.DeleteFunc(slices.Clone(s.signatures), func(sig signature) bool {
				key, _, _ := sig.open(allKeys(p.docker["127.0.0.1:5050/two/os"]))
				return key.id != signer.KeyID
			})
			if v := p.judge(s.ref, one, VerifyOptions{}); !errors.Is(v.err, ErrBadSignature) {
				t.Errorf("%q: only key %s: expected %v, got %v", boot, signer.KeyID, ErrBadSignature, v.err)
			}
		}
	}
}

// TestSampleAnnotations reads signed annotations of both formats.
func TestSampleAnnotations(t *testing.T) {
	s := sampleFetch(t, "annotated", "127.0.0.1:5050/ann/os")
	key := base64.StdEncoding.EncodeToString(readFile(t, samplesDir+"annotated/key.pub"))
	p, err := ParsePolicy(fmt.Appendf(nil, `{"default":[{"type":"sigstoreSigned","keyData":%q,"signedIdentity":{"type":"matchRepository"}}]}`, key), []byte(waived), nil)
	if err != nil {
		t.Fatal(err)
	}
	v := p.judge(s.ref, s.signatures, VerifyOptions{Now: time.Now(), ClockTrusted: true, Epoch: 7})
	if v.err != nil || len(v.signers) != 2 {
		t.Fatalf("expected two signers, got %+v, %v", v.signers, v.err)
	}
	for _, signer := range v.signers {
		if !maps.Equal(signer.Annotations, map[string]string{"epoch": "7", "version": "42"}) {
			t.Errorf("%s: got %v", signer.Format, signer.Annotations)
		}
	}
}
