package main

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

// TestSignFormats signs with each choice and asks the registry what is there.
func TestSignFormats(t *testing.T) {
	r := newRig(t)
	t.Setenv("SLIPWAY_PASSWORD", testPassword)
	image := bootable(t, nil)
	for format, want := range map[string][]string{
		"tag": {oci.FormatTag}, "bundle": {oci.FormatBundle}, "both": {oci.FormatTag, oci.FormatBundle}, "": {oci.FormatTag, oci.FormatBundle},
	} {
		ref := r.Push(t, "os/sign"+format+":1", image)
		args := []string{"sign", ref, "--key", r.key, "--ca", r.ca, "--json"}
		if format != "" {
			args = append(args, "--format", format)
		}
		out := good(t, args...)
		checkKeys(t, out)
		var got []oci.Signature
		decode(t, out, &got)
		var formats []string
		for _, s := range got {
			if formats = append(formats, s.Format); string(s.Digest) != digest(t, image) || !s.New || len(s.KeyID) != 64 {
				t.Errorf("%q: got %+v", format, s)
			}
		}
		if !slices.Equal(formats, want) {
			t.Errorf("%q: expected %q, got %q", format, want, formats)
		}
		var v verified
		decode(t, good(t, "verify", ref, "--policy", r.policy, "--ca", r.ca, "--json"), &v)
		if len(v.Signers) != len(want) {
			t.Errorf("%q: expected %d signers, got %+v", format, len(want), v.Signers)
		}
	}
}

func TestSignForPeople(t *testing.T) {
	r := newRig(t)
	t.Setenv("SLIPWAY_PASSWORD", testPassword)
	image := bootable(t, nil)
	ref := r.Push(t, "os/web:1", image)
	public, err := oci.LoadPublic(r.path("signer.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, want string }{
		{"first", "key     %[2]s\nsigned  %[1]s (tag)\nsigned  %[1]s (bundle)\n"},
		{"again", "key         %[2]s\nwas signed  %[1]s (tag)\nwas signed  %[1]s (bundle)\n"},
	} {
		want := fmt.Sprintf(test.want, digest(t, image), public.ID())
		if out := good(t, "sign", ref, "--key", r.key, "--ca", r.ca); out != want {
			t.Errorf("%s: expected\n%s\ngot\n%s", test.name, want, out)
		}
	}
}

// TestSignAnnotations: what is signed along, and under which name.
func TestSignAnnotations(t *testing.T) {
	r := newRig(t)
	t.Setenv("SLIPWAY_PASSWORD", testPassword)
	const name = nowhere + "/os/web"
	pushed := r.Push(t, "staging/web:1", bootable(t, nil))
	good(t, "sign", pushed, "--key", r.key, "--ca", r.ca, "-a", "epoch=7", "--annotation", "expires=2099-01-01T00:00:00Z",
		"-a", "ref="+name+":1", "-a", "team=a=b", "--identity", name)
	policy := r.policyByRepository(t)
	var v verified
	decode(t, good(t, "verify", name+":1", "--policy", policy, "--ca", r.ca, "--mirror", name+"="+r.Host()+"/staging/web", "--json"), &v)
	want := map[string]string{"epoch": "7", "expires": "2099-01-01T00:00:00Z", "ref": name + ":1", "team": "a=b"}
	if len(v.Signers) != 2 || !maps.Equal(v.Signers[0].Annotations, want) || !maps.Equal(v.Signers[1].Annotations, want) {
		t.Errorf("expected %q twice, got %+v", want, v.Signers)
	}
	bad(t, exitFailed, "signed for another name", "sign the image under the name it is booted by", "verify", pushed, "--policy", policy, "--ca", r.ca)
}

// TestSignRecursive signs an index and all that it lists.
func TestSignRecursive(t *testing.T) {
	r := newRig(t)
	t.Setenv("SLIPWAY_PASSWORD", testPassword)
	index := ocitest.Index(t, bootable(t, nil), ocitest.Image(t, ocitest.Spec{Arch: "arm64"}))
	ref := r.Push(t, "os/multi:1", index)
	var got []oci.Signature
	decode(t, good(t, "sign", ref, "--recursive", "--key", r.key, "--ca", r.ca, "--json"), &got)
	if len(got) != 6 || string(got[0].Digest) != digest(t, index) {
		t.Errorf("expected six signatures, the index first, got %+v", got)
	}
}

func TestSignRefuses(t *testing.T) {
	r := newRig(t)
	t.Setenv("SLIPWAY_PASSWORD", testPassword)
	ref := r.Push(t, "os/web:1", bootable(t, nil))
	other := write(t, r.path("other-ca.pem"), string(ocitest.NewCA(t).PEM()))
	before := r.Count("PUT", "")
	for _, test := range []struct {
		code          int
		message, hint string
		args          []string
	}{
		{1, `expected a PEM block ENCRYPTED.*got PUBLIC KEY`, ``, []string{ref, "--key", r.path("signer.pub"), "--ca", r.ca}},
		{1, `load private key: open .*gone: no such file`, ``, []string{ref, "--key", r.path("gone"), "--ca", r.ca}},
		{1, `--ca: open .*gone: no such file`, ``, []string{ref, "--key", r.key, "--ca", r.path("gone")}},
		{1, `--ca: .*expected certificates in PEM, found none`, ``, []string{ref, "--key", r.key, "--ca", r.policy}},
		{1, `certificate not accepted`, `--ca`, []string{ref, "--key", r.key, "--ca", other}},
		{1, `os/gone:1: not found`, `check the reference`, []string{r.Host() + "/os/gone:1", "--key", r.key, "--ca", r.ca}},
		{2, `epoch.*expected a number, got "old"`, `sign --help`, []string{ref, "--key", r.key, "--ca", r.ca, "-a", "epoch=old"}},
		{2, `expected a time like`, `sign --help`, []string{ref, "--key", r.key, "--ca", r.ca, "-a", "expires=soon"}},
		{2, `identity "web"`, `sign --help`, []string{ref, "--key", r.key, "--ca", r.ca, "--identity", "web"}},
	} {
		bad(t, test.code, test.message, test.hint, append([]string{"sign"}, test.args...)...)
	}
	t.Setenv("SLIPWAY_PASSWORD", "wrong")
	bad(t, exitFailed, "wrong password, or the file is damaged", "", "sign", ref, "--key", r.key, "--ca", r.ca)
	if n := r.Count("PUT", "") - before; n != 0 {
		t.Errorf("expected nothing pushed, got %d requests", n)
	}
}
