package oci

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const oracleDir = "testdata/policy-oracle/"

// oracleCase is one verdict of go.podman.io/image.
type oracleCase struct {
	Group          string          `json:"group"`
	Image          string          `json:"image"`
	SignedIdentity json.RawMessage `json:"signedIdentity"`
	Payload        []byte          `json:"payload_b64"`
	Signature      string          `json:"signature_b64"`
	SignedRef      string          `json:"signed_ref"`
	Note           string          `json:"note"`
	Accept         bool            `json:"accept"`
	Error          string          `json:"error"`
}

// stricter lists the cases, by note, that go.podman.io/image accepts and
// slipway refuses on purpose, and why.
func stricter() map[string]string {
	return map[string]string{
		"whole payload 5 MiB via optional": "a payload has at most 64 KiB",
	}
}

// TestPolicyOracle compares every verdict with that of podman's library.
func TestPolicyOracle(t *testing.T) {
	manifest := readFile(t, oracleDir+"manifest.json")
	key := base64.StdEncoding.EncodeToString(readFile(t, oracleDir+"oracle.pub"))
	lines := bufio.NewScanner(bytes.NewReader(readFile(t, oracleDir+"cases.jsonl")))
	lines.Buffer(nil, 16<<20)
	policies := map[string]*Policy{}
	n, accepted := 0, 0
	for lines.Scan() {
		var c oracleCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		identity := string(c.SignedIdentity)
		if policies[identity] == nil {
			policies[identity] = oraclePolicy(t, key, identity)
		}
		// A short name is not for slipway; what it means for podman is.
		ref, err := ParseReference(strings.Replace(c.Image, "busybox", "docker.io/library/busybox", 1))
		if !strings.HasPrefix(c.Image, "busybox") {
			ref, err = ParseReference(c.Image)
		}
		if err != nil {
			t.Fatal(err)
		}
		sig := signature{format: FormatTag, signed: sha256Of(manifest), body: c.Payload, sig: c.Signature}
		v := policies[identity].judge(ref, []signature{sig}, VerifyOptions{})
		want := c.Accept
		if _, ok := stricter()[c.Note]; ok {
			want = false
		}
		if (v.err == nil) != want {
			t.Errorf("line %d: image %s, signed %q, identity %s, %s: expected %v (%s), got %v",
				n+1, c.Image, c.SignedRef, identity, c.Note, want, c.Error, v.err)
		}
		n++
		if want {
			accepted++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if n != 1292 || accepted != 111 {
		t.Errorf("expected 1292 cases, 111 accepted, got %d and %d", n, accepted)
	}
}

func oraclePolicy(t *testing.T, key, identity string) *Policy {
	t.Helper()
	if identity != "" {
		identity = `, "signedIdentity": ` + identity
	}
	text := fmt.Sprintf(`{"default": [{"type": "sigstoreSigned", "keyData": %q%s}]}`, key, identity)
	p, err := ParsePolicy([]byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
