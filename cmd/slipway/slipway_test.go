package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
	"github.com/slipway-boot/slipway/payload/uki/ukitest"
)

// answer is what one call of the program left behind.
type answer struct {
	code     int
	out, err string
}

// slipway calls the program as a shell without a terminal would.
func slipway(t *testing.T, args ...string) answer {
	t.Helper()
	var out, err bytes.Buffer
	code := run(t.Context(), args, streams{strings.NewReader(""), &out, &err})
	return answer{code, out.String(), err.String()}
}

// good calls the program and expects success without a word on stderr.
func good(t *testing.T, args ...string) string {
	t.Helper()
	a := slipway(t, args...)
	if a.code != 0 || a.err != "" {
		t.Fatalf("slipway %s: expected success, got exit code %d\n%s%s", strings.Join(args, " "), a.code, a.out, a.err)
	}
	return a.out
}

// bad calls the program and expects an exit code, an error that matches and a
// hint that does; "" means none. It returns what was printed beside that.
func bad(t *testing.T, code int, message, hint string, args ...string) string {
	t.Helper()
	a := slipway(t, args...)
	a.refused(t, code, message, hint, strings.Join(args, " "))
	return a.out
}

// refused checks the contract for errors: one line, and one more with a hint.
// A message that starts with ^ is the line's beginning.
func (a answer) refused(t *testing.T, code int, message, hint, call string) {
	t.Helper()
	if rest, ok := strings.CutPrefix(message, "^"); ok {
		message = rest
	} else {
		message = `[^\n]*` + message
	}
	want := `slipway: error: ` + message + `[^\n]*\n`
	if hint != "" {
		want += `slipway: hint: [^\n]*` + hint + `[^\n]*\n`
	}
	if a.code != code || !regexp.MustCompile(`^`+want+`$`).MatchString(a.err) {
		t.Errorf("slipway %s: expected exit code %d and\n%s\ngot %d and\n%s", call, code, want, a.code, a.err)
	}
}

// decode reads JSON into v, which must know every field.
func decode(t *testing.T, text string, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

var snake = regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)

// checkKeys checks how JSON spells its keys, but for those that are somebody's
// data.
func checkKeys(t *testing.T, text string) {
	t.Helper()
	var document any
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for key, e := range v {
				if !snake.MatchString(key) {
					t.Errorf("key %q: expected lower_snake_case in %s", key, text)
				}
				if key != "annotations" && key != "boot" { // boot has the keys of boot-policy.toml
					walk(e)
				}
			}
		}
	}
	walk(document)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// unset removes the passwords of whoever runs the tests.
func unset(t *testing.T) {
	t.Helper()
	for _, name := range passwordVars {
		t.Setenv(name, "") // to have it back after the test
		os.Unsetenv(name)
	}
}

const testPassword = "correct horse"

// nowhere is a registry's name behind which there is none: images with it come
// from a mirror.
const nowhere = "127.0.0.1:1"

// signer is the key of all tests, with its file. It is made once: encrypting
// it is slow, as it should be.
var signer = sync.OnceValue(func() (s struct {
	key  *oci.PrivateKey
	file []byte
	err  error
}) {
	if s.key, s.err = oci.GenerateKey(); s.err == nil {
		s.file, s.err = oci.EncryptPrivateKey(s.key, []byte(testPassword))
	}
	return s
})

// rig is a registry, a signer and a policy that trusts the signer.
type rig struct {
	*ocitest.Registry
	dir, ca, key, policy string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Registry: ocitest.Start(t, ocitest.Options{}), dir: t.TempDir()}
	r.ca = write(t, r.path("ca.pem"), string(r.CA().PEM()))
	s := signer()
	if s.err != nil {
		t.Fatal(s.err)
	}
	r.key = write(t, r.path("signer.key"), string(s.file))
	write(t, r.path("signer.pub"), string(s.key.Public().PEM()))
	r.policy = r.policyFor(t, "policy.json", "signer.pub")
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// policyFor writes a policy: images below os/, signed by one key.
func (r *rig) policyFor(t *testing.T, name, key string) string {
	t.Helper()
	return write(t, r.path(name), `{"default": [{"type": "reject"}], "transports": {"docker": {"`+r.Host()+`/os": [
  {"type": "sigstoreSigned", "keyPath": "`+key+`", "signedIdentity": {"type": "matchRepository"}}]}}}`)
}

// policyByRepository trusts the signer for any repository, whatever the tag.
func (r *rig) policyByRepository(t *testing.T) string {
	t.Helper()
	return write(t, r.path("any.json"), `{"default": [{"type": "sigstoreSigned", "keyPath": "signer.pub", "signedIdentity": {"type": "matchRepository"}}]}`)
}

// sign pushes an image and signs it, past the program.
func (r *rig) sign(t *testing.T, name string, what remote.Taggable, o oci.SignOptions) string {
	t.Helper()
	full := r.Push(t, name, what)
	ref, err := oci.ParseReference(full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oci.Sign(t.Context(), &oci.Client{Roots: r.Roots()}, ref, signer().key, o); err != nil {
		t.Fatal(err)
	}
	return full
}

// signed pushes an image and signs it without further ado.
func (r *rig) signed(t *testing.T, name string, what remote.Taggable) string {
	t.Helper()
	return r.sign(t, name, what, oci.SignOptions{})
}

const imageRelease = "6.12.0-test"

// bootable is an image with all that a boot image needs.
func bootable(t *testing.T, more map[string]string) v1.Image {
	t.Helper()
	modules := "usr/lib/modules/" + imageRelease
	files := map[string]string{modules + "/vmlinuz": string(ukitest.Kernel(imageRelease)), modules + "/initramfs.img": "initramfs"}
	for name, text := range more {
		files[name] = text
	}
	return ocitest.Image(t, ocitest.Spec{
		Labels: map[string]string{"containers.bootc": "1"},
		Layers: []v1.Layer{ocitest.Layer(t, files), ocitest.RandomLayer(t, 1, 100000)},
	})
}

// digest returns the digest of what stands for a reference.
func digest(t *testing.T, what interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := what.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

func tomorrow() time.Time { return time.Now().AddDate(0, 0, 1) }
