package oci_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

// TestUnion spoils one place for signatures at a time, in every way; the
// signature in the other place counts, and the spoilt one is reported.
func TestUnion(t *testing.T) {
	const sigTag, referrers, fallback = ".sig", "/referrers/", "/manifests/sha256-"
	spoilt := map[string]ocitest.Fault{
		"500":       {Status: 500},
		"403":       {Status: 403},
		"garbage":   {Body: []byte("garbage"), ContentType: ociManifest},
		"type":      {Body: []byte("{}"), ContentType: "text/html"},
		"too large": {Body: make([]byte, 5<<20)},
		"redirect":  {Redirect: "http://127.0.0.1/"},
		"cut":       {Body: make([]byte, 1000), Truncate: 10},
	}
	for _, c := range []struct {
		place, format string // the spoilt place, and the format in another one
		noReferrers   bool
	}{{sigTag, oci.FormatBundle, false}, {sigTag, oci.FormatBundle, true}, {referrers, oci.FormatTag, false}, {referrers, oci.FormatBundle, true}, {fallback, oci.FormatBundle, false}} {
		for name, fault := range spoilt {
			t.Run(fmt.Sprint(c.place, " ", name, " ", c.format, c.noReferrers), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, ocitest.Options{NoReferrers: c.noReferrers})
				client, key := newClient(f.registry), newKey(t)
				if _, err := oci.Sign(context.Background(), client, f.ref, key, oci.SignOptions{Formats: c.format}); err != nil {
					t.Fatal(err)
				}
				fault.Method, fault.Path = "GET", c.place
				f.registry.Fault(fault)
				img, err := verifyWith(t, client, f.ref, matchRepository, "", key.Public())
				if err != nil {
					t.Fatal(err)
				}
				reported := 0
				for _, finding := range img.Findings() {
					if finding.Format == "" && finding.Reason != "" {
						reported++
					}
				}
				if reported == 0 {
					t.Errorf("the spoilt place is not reported: %+v", img.Findings())
				}
			})
		}
	}
}

// TestNothingButProblems checks that the error tells what could not be read.
func TestNothingButProblems(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	f.registry.Fault(ocitest.Fault{Path: ".sig", Status: 500})
	_, err := verifyWith(t, newClient(f.registry), f.ref, matchRepository, "", newKey(t).Public())
	if !errors.Is(err, oci.ErrUnsigned) || !errors.Is(err, oci.ErrUnreachable) || !strings.Contains(err.Error(), "signature tag") {
		t.Errorf("expected both reasons, got %v", err)
	}
}

// sigTagOf makes a manifest for the .sig tag out of layers.
func sigTagOf(layers ...string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":2},"layers":[%s]}`,
		ociManifest, digestOfBytes([]byte("{}")), strings.Join(layers, ","))
}

func sigLayer(payload []byte, size int, sig string) string {
	return fmt.Sprintf(`{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":%q,"size":%d,"annotations":{"dev.cosignproject.cosign/signature":%q}}`,
		digestOfBytes(payload), size, sig)
}

// TestSignatureCeilings fills a place with more than it may hold.
func TestSignatureCeilings(t *testing.T) {
	payload := []byte("payload")
	huge := []byte(strings.Repeat("x", 65<<10))
	many := make([]string, 65)
	for i := range many {
		many[i] = sigLayer(payload, len(payload), base64.StdEncoding.EncodeToString([]byte{byte(i)}))
	}
	big := make([]string, 64) // 64 payloads of 64 KiB and one more exceed the sum
	for i := range big {
		big[i] = sigLayer(fmt.Appendf(nil, "%065536d", i), 65536, "QQ==")
	}
	for name, c := range map[string]struct {
		layers     []string
		signatures int
		reason     string
	}{
		"good":           {[]string{sigLayer(payload, len(payload), "QQ==")}, 1, ""},
		"64":             {many[:64], 64, ""},
		"65":             {many, 64, "it lists 65 signatures"},
		"payload size":   {[]string{sigLayer(huge, len(huge), "QQ==")}, 0, "at most 65536 bytes"},
		"wrong size":     {[]string{sigLayer(payload, len(payload)+1, "QQ==")}, 0, "digest mismatch"},
		"lying size":     {[]string{sigLayer(payload, len(payload)-1, "QQ==")}, 0, "too large"},
		"missing":        {[]string{sigLayer([]byte("none"), 4, "QQ==")}, 0, ""},
		"another type":   {[]string{strings.Replace(sigLayer(payload, 7, "QQ=="), "simplesigning", "other", 1)}, 0, "expected a layer of type"},
		"no annotation":  {[]string{strings.Replace(sigLayer(payload, 7, "QQ=="), "cosign/signature", "cosign/other", 1)}, 0, "with its signature"},
		"sum of all":     {append(big, many[0]), 64, "it lists 65"},
		"bad among good": {[]string{sigLayer(huge, 7, "QQ=="), sigLayer(payload, len(payload), "QQ==")}, 1, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, ocitest.Options{})
			f.registry.PutBlob(t, "os/web", digestOfBytes(payload), payload)
			f.registry.PutBlob(t, "os/web", digestOfBytes(huge), huge)
			if name == "sum of all" {
				for i := range big {
					body := fmt.Appendf(nil, "%065536d", i)
					f.registry.PutBlob(t, "os/web", digestOfBytes(body), body)
				}
			}
			tag := strings.Replace(f.index, ":", "-", 1) + ".sig"
			f.registry.Put(t, "os/web", tag, ociManifest, sigTagOf(c.layers...))
			s, err := newClient(f.registry).Fetch(context.Background(), f.ref)
			if err != nil {
				t.Fatal(err)
			}
			if s.Signatures() != c.signatures {
				t.Errorf("expected %d signatures, got %d", c.signatures, s.Signatures())
			}
			_, err = policyFor(t, matchRepository, "", newKey(t).Public()).Verify(s, oci.VerifyOptions{})
			if !strings.Contains(err.Error(), c.reason) {
				t.Errorf("expected %q, got %v", c.reason, err)
			}
		})
	}
}

// TestReferrers has referrers that are not what they seem, around a good one.
func TestReferrers(t *testing.T) {
	f := newFixture(t, ocitest.Options{})
	client, key := newClient(f.registry), newKey(t)
	if _, err := oci.Sign(context.Background(), client, f.ref, key, oci.SignOptions{Formats: oci.FormatBundle}); err != nil {
		t.Fatal(err)
	}
	empty := fmt.Sprintf(`{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2}`, digestOfBytes([]byte("{}")))
	put := func(subject, layer string) {
		body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s],"subject":{"mediaType":%q,"digest":%q,"size":1}}`,
			ociManifest, empty, layer, ociIndex, subject)
		f.registry.Put(t, "os/web", digestOfBytes([]byte(body)), ociManifest, []byte(body))
	}
	bundle := func(content string, size int) string {
		f.registry.PutBlob(t, "os/web", digestOfBytes([]byte(content)), []byte(content))
		return fmt.Sprintf(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":%q,"size":%d}`, digestOfBytes([]byte(content)), size)
	}
	put(f.index, empty)                // a bill of materials or the like
	put(f.index, empty+","+empty)      // another one
	put(f.index, bundle("{}", 2))      // no bundle inside
	put(f.index, bundle("big", 2<<20)) // over the ceiling
	put(f.index, bundle("short", 500)) // not of the size it says
	img, err := verifyWith(t, client, f.ref, matchRepository, "", key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if len(img.Signers()) != 1 || len(img.Findings()) != 4 {
		t.Errorf("expected one signer and four findings, got %+v", img.Findings())
	}
	for i := range 6 { // each within its ceiling, together over that of the place
		content := fmt.Sprintf("%d%s", i, strings.Repeat(" ", 1<<20-1))
		put(f.index, bundle(content, 1<<20))
	}
	s, err := client.Fetch(context.Background(), f.ref)
	if err != nil || s.Signatures() > 6 {
		t.Errorf("expected at most 6 signatures in 4 MiB, got %d, %v", s.Signatures(), err)
	}
	// A list that names a referrer of something else, as a hostile registry could.
	other := f.instance
	list := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":1}]}`, ociIndex, ociManifest, other)
	f.registry.Fault(ocitest.Fault{Path: "/referrers/" + f.index, Body: []byte(list), ContentType: ociIndex, Header: map[string]string{"Link": "</v2/x>; rel=next"}})
	_, err = verifyWith(t, client, f.ref, matchRepository, "", key.Public())
	var refused *oci.VerifyError
	if !errors.As(err, &refused) || !errors.Is(err, oci.ErrUnsigned) {
		t.Fatalf("expected ErrUnsigned, got %v", err)
	}
	found := fmt.Sprint(refused.Findings)
	if !strings.Contains(found, "it does not refer to") || !strings.Contains(found, "more pages") {
		t.Errorf("got %v", found)
	}
}
