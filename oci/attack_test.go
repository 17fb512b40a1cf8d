package oci

import (
	"context"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

// lab is a registry under the name registry.example with an index at
// os/web:stable, and a forger who holds the operator's key.
type lab struct {
	forger
	registry *ocitest.Registry
	client   *Client
	ref      Reference
	boot     string
	options  VerifyOptions
	keys     []*PublicKey
}

func newLab(t *testing.T) *lab {
	t.Helper()
	r := ocitest.Start(t, ocitest.Options{Names: []string{"registry.example"}})
	index := ocitest.Index(t, ocitest.Image(t, ocitest.Spec{}), ocitest.Image(t, ocitest.Spec{Arch: "arm64"}))
	r.Push(t, "os/web:stable", index)
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{forger: newForger(t), registry: r, ref: webRef(t)}
	l.digest = Digest(digest.String())
	l.client = &Client{
		Roots: r.Roots(), Arch: "amd64", Tries: 1,
		Dial: ocitest.Dial(map[string]*ocitest.Registry{"registry.example:443": r}),
	}
	return l
}

// put stores a signature where its format belongs, for the repository.
func (l *lab) put(repository string, sigs ...signature) {
	l.t.Helper()
	blob := func(body []byte, mediaType string) descriptor {
		l.registry.PutBlob(l.t, repository, string(sha256Of(body)), body)
		return descriptor{MediaType: mediaType, Digest: sha256Of(body), Size: int64(len(body))}
	}
	config := blob([]byte(emptyJSON), string(types.OCIEmptyJSON))
	store := func(name string, m manifest) {
		m.SchemaVersion, m.MediaType, m.Config = 2, string(types.OCIManifestSchema1), &config
		body, err := json.Marshal(m)
		if err != nil {
			l.t.Fatal(err)
		}
		if name == "" {
			name = string(sha256Of(body))
		}
		l.registry.Put(l.t, repository, name, m.MediaType, body)
	}
	var layers []descriptor
	for _, s := range sigs {
		if s.format == FormatBundle {
			subject := descriptor{MediaType: string(types.OCIImageIndex), Digest: s.signed, Size: 1}
			store("", manifest{Subject: &subject, Layers: []descriptor{blob(s.body, bundleMedia)}})
			continue
		}
		layer := blob(s.body, simpleSigningMedia)
		layer.Annotations = map[string]string{signatureAnnotation: s.sig}
		layers = append(layers, layer)
	}
	if layers != nil {
		store(tagOf(sigs[0].signed)+".sig", manifest{Layers: layers})
	}
}

// noted makes both formats with the signed annotations.
func (l *lab) noted(annotations string) []signature {
	return []signature{l.tag(l.payload(imageName, "{"+annotations+"}")), l.bundle(l.statement("{" + annotations + "}"))}
}

const noteWeb = `"ref":"registry.example/os/web:stable"`

// raw re-encodes a signature in DER as r and s one after the other.
func (l *lab) raw(s signature) signature {
	var rs struct{ R, S *big.Int }
	der, err := decodeBase64(s.sig)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		l.t.Fatal(err)
	}
	s.sig = base64.StdEncoding.EncodeToString(append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...))
	return s
}

// TestAttacks has a row for each attack on fetching and verifying that the
// project makes a promise about. An error of nil means that the image must
// boot in spite of the attack.
func TestAttacks(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		attack string
		set    func(l *lab)
		err    error
		want   string
	}{
		{"none", func(l *lab) { l.put("os/web", l.noted(noteWeb)...) }, nil, ""},
		{"unsigned image", func(*lab) {}, ErrUnsigned, "no signature was found"},
		{"signed by a stranger", func(l *lab) {
			other := forger{l.t, newForger(l.t).key, l.digest}
			l.put("os/web", other.tag(l.payload(imageName, "null")))
		}, ErrBadSignature, "not made by a key"},
		{"replay of an old image", func(l *lab) {
			l.boot = "epoch = 7"
			l.put("os/web", l.noted(noteWeb+`,"epoch":"6"`)...)
		}, ErrEpoch, "expected at least 7, got 6"},
		{"replay below the stored floor", func(l *lab) {
			l.options.Epoch = 9
			l.put("os/web", l.noted(noteWeb+`,"epoch":"8"`)...)
		}, ErrEpoch, "expected at least 9, got 8"},
		{"freeze", func(l *lab) {
			l.boot, l.options = `expires = "required"`, VerifyOptions{Now: now, ClockTrusted: true}
			l.put("os/web", l.noted(noteWeb+`,"expires":"2026-11-19T00:00:00Z"`)...)
		}, ErrExpired, "at 2026-11-19"},
		{"channel swap", func(l *lab) {
			l.boot = `ref = "required"`
			l.put("os/web", l.noted(`"ref":"registry.example/os/web:testing"`)...)
		}, ErrIdentity, "signed as registry.example/os/web:testing"},
		{"tag moved after the first answer", func(l *lab) {
			l.put("os/web", l.noted(noteWeb)...)
			first := l.registry.Get(l.t, "/v2/os/web/manifests/stable")
			l.registry.Fault(ocitest.Fault{Path: "/manifests/stable", Times: 1, Body: first, ContentType: string(types.OCIImageIndex)})
			l.registry.Push(l.t, "os/web:stable", ocitest.Image(l.t, ocitest.Spec{Labels: map[string]string{"evil": "1"}}))
		}, nil, ""},
		{"image and tag signature copied to another repository", func(l *lab) {
			l.put("os/web", l.tag(l.payload("registry.example/os/other", "null")))
		}, ErrIdentity, "the signature names registry.example/os/other"},
		{"image and bundle copied to another repository", func(l *lab) {
			l.put("os/web", l.bundle(l.statement(`{"ref":"registry.example/os/other:stable"}`)))
		}, ErrIdentity, "the signature names registry.example/os/other"},
		{"bundle without a name", func(l *lab) { l.put("os/web", l.bundle(l.statement("{}"))) }, ErrIdentity, "names no image"},
		{"bundle without a name, waived", func(l *lab) {
			l.boot = `bundle-identity = "waived"`
			l.put("os/web", l.bundle(l.statement("{}")))
		}, nil, ""},
		{"signature of another image", func(l *lab) {
			s := forger{l.t, l.key, Digest(testDigest)}.tag(l.payload(imageName, "null"))
			s.body = []byte(strings.Replace(string(s.body), string(l.digest), testDigest, 1))
			s.sig, s.signed = l.tag(string(s.body)).sig, l.digest
			l.put("os/web", s)
		}, ErrBadSignature, "it is for " + testDigest},
		{"attestation taken for a signature", func(l *lab) {
			l.boot = `bundle-identity = "waived"`
			l.put("os/web", l.bundle(strings.Replace(l.statement("{"+noteWeb+"}"), signPredicateType, "https://example.com/scan/v1", 1)))
		}, ErrBadSignature, "it is no signature"},
		{"a bundle hides the tag signature", func(l *lab) {
			l.put("os/web", l.tag(l.payload(imageName, "null")), l.bundle("{}"), signature{format: FormatBundle, signed: l.digest, body: []byte("x")})
		}, nil, ""},
		{"a tag signature hides the bundle", func(l *lab) {
			l.put("os/web", l.bundle(l.statement("{"+noteWeb+"}")), newForger(l.t).tag("{}"), l.tag("{}"))
			l.registry.Fault(ocitest.Fault{Path: ".sig", Status: http.StatusInternalServerError})
		}, nil, ""},
		{"ambiguous manifest", func(l *lab) {
			text := strings.Replace(string(l.registry.Get(l.t, "/v2/os/web/manifests/stable")), `{"schema`, `{"layers":[],"schema`, 1)
			l.registry.Fault(ocitest.Fault{Path: "/manifests/stable", Body: []byte(text), ContentType: string(types.OCIImageIndex)})
		}, ErrManifest, "ambiguous"},
		{"duplicate key in a signed payload", func(l *lab) {
			l.put("os/web", l.tag(strings.Replace(l.payload(imageName, "null"), `"optional"`, `"optional":null,"optional"`, 1)))
		}, ErrBadSignature, "twice"},
		{"case-folded key in a signed payload", func(l *lab) {
			l.put("os/web", l.tag(strings.Replace(l.payload(imageName, "null"), `"image"`, `"Image"`, 1)))
		}, ErrBadSignature, "by case only"},
		{"invalid UTF-8 in a signed payload", func(l *lab) {
			l.put("os/web", l.tag(l.payload(imageName, "{\"x\":\"\xff\"}")))
		}, ErrBadSignature, "UTF-8"},
		{"signature as raw r and s", func(l *lab) {
			l.put("os/web", l.raw(l.tag(l.payload(imageName, "null"))))
		}, ErrBadSignature, "not made by a key"},
		{"line break in base64", func(l *lab) {
			s := l.tag(l.payload(imageName, "null"))
			s.sig += "\n"
			l.put("os/web", s)
		}, ErrBadSignature, "line break"},
		{"oversized manifest", func(l *lab) {
			l.registry.Fault(ocitest.Fault{Path: "/manifests/stable", Grow: maxManifest + 1, Chunked: true})
		}, ErrTooLarge, ""},
		{"oversized list of referrers", func(l *lab) {
			l.put("os/web", l.tag(l.payload(imageName, "null")))
			l.registry.Fault(ocitest.Fault{Path: "/referrers/", Grow: maxManifest + 1, Chunked: true})
		}, nil, ""},
		{"oversized payload", func(l *lab) {
			l.put("os/web", l.tag(l.payload(imageName, `{"x":"`+strings.Repeat("x", maxPayload)+`"}`)))
		}, ErrTooLarge, "at most 65536"},
		{"oversized bundle", func(l *lab) {
			l.put("os/web", l.bundle(l.statement(`{"x":"`+strings.Repeat("x", maxBundle)+`"}`)))
		}, ErrTooLarge, "at most 1048576"},
		{"redirect to plain HTTP", func(l *lab) {
			l.registry.Fault(ocitest.Fault{Path: "/manifests/stable", Redirect: "http://registry.example/v2/os/web/manifests/stable"})
		}, ErrRedirect, "expected https"},
		{"mirror with a signature in its own name", func(l *lab) {
			l.put("os/web", l.tag(l.payload("mirror.example/os/web", "null")))
		}, ErrIdentity, "the signature names mirror.example/os/web"},
		{"a key that was rotated out", func(l *lab) {
			l.keys = []*PublicKey{newForger(l.t).key.Public()}
			l.put("os/web", l.noted(noteWeb)...)
		}, ErrBadSignature, "not made by a key"},
		{"a key while it is rotated", func(l *lab) {
			l.keys = []*PublicKey{newForger(l.t).key.Public(), l.key.Public()}
			l.put("os/web", l.noted(noteWeb)...)
		}, nil, ""},
		{"a transparency log that was not asked", func(l *lab) {
			l.put("os/web", l.bundle(l.statement("{"+noteWeb+"}"), `"publicKey"`, `"tlogEntries":[{"logIndex":"1"}],"publicKey"`))
		}, nil, noteTransparencyLog},
	} {
		t.Run(c.attack, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			c.set(l)
			img, err := l.run()
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("expected %v with %q, got %v", c.err, c.want, err)
			}
			if err != nil {
				return
			}
			if img.Digest() != l.digest || img.Labels()["evil"] != "" {
				t.Errorf("expected image %s, got %s", l.digest, img.Digest())
			}
			if !slices.ContainsFunc(img.Findings(), func(f Finding) bool { return f.Counted && strings.Contains(f.Reason, c.want) }) {
				t.Errorf("expected a finding with %q, got %+v", c.want, img.Findings())
			}
		})
	}
}

func (l *lab) run() (*Image, error) {
	s, err := l.client.Fetch(context.Background(), l.ref)
	if err != nil {
		return nil, err
	}
	return l.policy(l.boot, l.keys...).Verify(s, l.options)
}

// TestSameKeyTwice checks that two slots of a threshold cannot be filled by
// one key: such a policy is refused, however the key is spelled.
func TestSameKeyTwice(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(readFile(t, keyDir+"cosign.pub"))
	spaced := base64.StdEncoding.EncodeToString(append(readFile(t, keyDir+"cosign.pub"), '\n'))
	for _, list := range []string{
		fmt.Sprintf(`[{"type":"sigstoreSigned","keyDatas":[%q,%q]}]`, key, spaced),
		fmt.Sprintf(`[{"type":"sigstoreSigned","keyData":%q},{"type":"sigstoreSigned","keyData":%q}]`, key, spaced),
		fmt.Sprintf(`[{"type":"sigstoreSigned","keyData":%q},{"type":"sigstoreSigned","keyPath":"cosign.pub"}]`, key),
	} {
		if _, err := ParsePolicy([]byte(`{"default":`+list+`}`), nil, testKeys); !errors.Is(err, ErrPolicy) {
			t.Errorf("%.80s: expected %v, got %v", list, ErrPolicy, err)
		}
	}
}
