package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

// TestVerify reads all of an answer.
func TestVerify(t *testing.T) {
	r := newRig(t)
	image := bootable(t, nil)
	ref := r.sign(t, "os/web:stable", image, oci.SignOptions{Annotations: map[string]string{"epoch": "3"}})
	policy, err := oci.LoadPolicy(r.policy)
	if err != nil {
		t.Fatal(err)
	}
	public, err := oci.LoadPublic(r.path("signer.pub"))
	if err != nil {
		t.Fatal(err)
	}
	short := digest(t, image)[:19] + "…"
	lines := strings.Split(good(t, "verify", ref, "--policy", r.policy, "--ca", r.ca), "\n")
	for i, want := range []string{
		"reference  " + ref,
		"digest     " + digest(t, image),
		"policy     sha256 " + policy.Hash(),
		"signed by  " + public.ID() + " (tag, bundle)",
		"           epoch=3",
		"           ref=" + ref,
		"signatures looked at:",
		fmt.Sprintf("  counted      tag     %.12s  signature tag for %s at %s/os/web, signature 1", public.ID(), short, r.Host()),
		fmt.Sprintf("  counted      bundle  %.12s  referrers for %s at %s/os/web, referrer sha256:", public.ID(), short, r.Host()),
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) || i < 8 && lines[i] != want {
			t.Fatalf("line %d: expected %q, got %q", i+1, want, lines)
		}
	}
	if len(lines) != 10 || lines[9] != "" {
		t.Errorf("expected nine lines, got %q", lines)
	}

	out := good(t, "verify", ref, "--policy", r.policy, "--ca", r.ca, "--json")
	checkKeys(t, out)
	var v verified
	decode(t, out, &v)
	if v.Reference != ref || string(v.Digest) != digest(t, image) || v.Instance != "" || v.Policy != policy.Hash() || len(v.Signers) != 2 || len(v.Findings) != 2 {
		t.Errorf("got %+v", v)
	}
}

// TestVerifyIndex: the digest is what was signed, the instance what boots.
func TestVerifyIndex(t *testing.T) {
	r := newRig(t)
	amd64, arm64 := bootable(t, nil), ocitest.Image(t, ocitest.Spec{Arch: "arm64"})
	index := ocitest.Index(t, amd64, arm64)
	ref := r.signed(t, "os/multi:1", index)
	for arch, want := range map[string]string{"amd64": digest(t, amd64), "arm64": digest(t, arm64)} {
		out := good(t, "verify", ref, "--policy", r.policy, "--ca", r.ca, "--arch", arch)
		if !strings.Contains(out, "digest     "+digest(t, index)+"\ninstance   "+want+"\n") {
			t.Errorf("%s: expected the instance %s, got %s", arch, want, out)
		}
	}
	bad(t, exitFailed, "wrong architecture", "build the image for this machine's architecture", "verify", ref, "--policy", r.policy, "--ca", r.ca, "--arch", "riscv64")
}

// TestVerifyDigest: a reference by digest, and by tag and digest.
func TestVerifyDigest(t *testing.T) {
	r := newRig(t)
	image := bootable(t, nil)
	ref := r.signed(t, "os/web:stable", image)
	for _, ref := range []string{ref + "@" + digest(t, image), r.Host() + "/os/web@" + digest(t, image), "docker://" + ref} {
		good(t, "verify", ref, "--policy", r.policy, "--ca", r.ca)
	}
}

// TestVerifyUnsigned: a policy may accept everything, and then says so.
func TestVerifyUnsigned(t *testing.T) {
	r := newRig(t)
	ref := r.Push(t, "os/web:1", bootable(t, nil))
	policy := write(t, r.path("open.json"), `{"default": [{"type": "insecureAcceptAnything"}]}`)
	write(t, r.path(oci.BootPolicyFile), "schema = 1\n[allow]\nunsigned = true\n")
	if out := good(t, "verify", ref, "--policy", policy, "--ca", r.ca); !strings.Contains(out, "signed by  nobody: the policy accepts it without a signature\n") {
		t.Errorf("got %s", out)
	}
}

// TestVerifyRefuses has one row for each reason, with what was looked at.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel() // it waits for a registry that does not answer
	r := newRig(t)
	image := bootable(t, nil)
	ref := r.sign(t, "os/web:1", image, oci.SignOptions{Annotations: map[string]string{"epoch": "3", "expires": "2001-01-01T00:00:00Z"}})
	stranger, err := oci.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	write(t, r.path("other.pub"), string(stranger.Public().PEM()))
	other := r.policyFor(t, "other.json", "other.pub")
	verify := func(ref, policy string) []string { return []string{"verify", ref, "--policy", policy, "--ca", r.ca} }
	for _, test := range []struct {
		name, message, hint, looked string
		args                        []string
	}{
		{"expired", `signature expired: at 2001`, `later expiry`, "signature expired: at 2001-01-01T00:00:00Z, it is", verify(ref, r.policy)},
		{"unsigned", `not signed: no signature was found`, `slipway sign REFERENCE --key FILE`, "", verify(r.Push(t, "os/unsigned:1", image), r.policy)},
		{"another key", `no good signature: not made by a key of the policy`, `a key of this payload's policy`, "not made by a key of the policy", verify(ref, other)},
		{"another place", `default, requirement 1 of 1: policy: the policy rejects it`, `only a new payload changes it`, "", verify(r.Push(t, "private/web:1", image), r.policy)},
		{"not there", `os/gone:1: not found`, `check the reference`, "", verify(r.Host()+"/os/gone:1", r.policy)},
		{"no such policy", `load policy: open .*gone.json: no such file`, ``, "", verify(ref, r.path("gone.json"))},
		{"policy is a directory", `load policy: read .*: is a directory`, ``, "", verify(ref, r.dir)},
		{"no CA", `certificate not accepted`, `name the CA .* with --ca`, "", []string{"verify", ref, "--policy", r.policy}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := bad(t, exitFailed, test.message, test.hint, test.args...)
			if test.looked == "" && out != "" || test.looked != "" && (!strings.HasPrefix(out, "signatures looked at:\n  not counted  tag ") || !strings.Contains(out, test.looked)) {
				t.Errorf("standard output: expected %q, got %q", test.looked, out)
			}
			if out := bad(t, exitFailed, test.message, test.hint, append(test.args, "--json")...); out != "" {
				t.Errorf("--json: expected nothing, got %q", out)
			}
		})
	}
	write(t, r.path(oci.BootPolicyFile), "schema = 1\nepoch = 4\n")
	bad(t, exitFailed, "epoch below the floor: expected at least 4, got 3", "higher epoch", verify(ref, r.policy)...)
	r.Close()
	bad(t, exitFailed, "registry unreachable", "check that the registry runs", verify(ref, r.policy)...)
}

// TestVerifyClock: a certificate outside its dates is the clock's or its own
// fault, not the CA's.
func TestVerifyClock(t *testing.T) {
	r := newRig(t)
	late := ocitest.Start(t, ocitest.Options{CA: r.CA(), NotBefore: tomorrow(), NotAfter: tomorrow().AddDate(1, 0, 0)})
	bad(t, exitFailed, "certificate outside its validity period", "this machine's clock", "verify", late.Host()+"/os/web:1", "--policy", r.policy, "--ca", r.ca)
}

// TestVerifyMirrors: the mirror is asked, the logical name is judged.
func TestVerifyMirrors(t *testing.T) {
	t.Parallel() // it waits for a registry that does not answer
	r := newRig(t)
	const name = nowhere + "/os/web"
	policy := r.policyByRepository(t)
	r.sign(t, "copy/web:1", bootable(t, nil), oci.SignOptions{Identity: name})
	mirror := func(m string) []string {
		return []string{"verify", name + ":1", "--policy", policy, "--ca", r.ca, "--mirror", m}
	}
	out := good(t, mirror(name+"="+r.Host()+"/copy/web")...)
	if !strings.Contains(out, "reference  "+name+":1\n") || !strings.Contains(out, r.Host()+"/copy/web") {
		t.Errorf("got %s", out)
	}
	// Places that all fail for the same reason have it said once.
	if n := strings.Count(out, "registry unreachable"); n != 1 {
		t.Errorf("expected the unreachable origin once, got %d times in %s", n, out)
	}
	bad(t, exitUsage, `--mirror: expected PREFIX=LOCATION, got "nothing"`, "", mirror("nothing")...)
	bad(t, exitUsage, `--mirror: .*mirror "https://`, "registry.example=mirror.example:5000/path", mirror(name+"=https://mirror.example")...)
}

// TestTerminalIsSafe: a registry's words do not reach the terminal's controls.
func TestTerminalIsSafe(t *testing.T) {
	r := newRig(t)
	ref := r.Push(t, "os/web:1", bootable(t, nil))
	r.Fault(ocitest.Fault{Path: "/manifests/1", Status: 404, ContentType: "application/json",
		Body: []byte(`{"errors":[{"code":"MANIFEST_UNKNOWN","message":"\u001b[2Jslipway: fine\r"}]}`)})
	a := slipway(t, "verify", ref, "--policy", r.policy, "--ca", r.ca)
	if a.code != exitFailed || strings.ContainsAny(a.err, "\x1b\r") || !strings.Contains(a.err, "slipway: fine") {
		t.Errorf("got %q", a.err)
	}
}
