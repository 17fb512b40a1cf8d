package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/oci"
)

// policyDir writes a policy that trusts two of three keys, and returns its
// directory and the keys' IDs.
func policyDir(t *testing.T) (dir string, ids []string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"a.pub", "b.pub", "c.pub"} {
		key, err := oci.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(key.Public().PEM()))
		ids = append(ids, key.Public().ID())
	}
	pair := func(a, b string) string {
		return `{"type": "sigstoreSigned", "keyPaths": ["` + a + `.pub", "` + b + `.pub"], "signedIdentity": {"type": "matchRepository"}}`
	}
	write(t, filepath.Join(dir, policyName), `{"default": [{"type": "reject"}], "transports": {"docker": {"registry.example/os": [
`+pair("a", "b")+",\n"+pair("b", "c")+",\n"+pair("a", "c")+"]}}}")
	write(t, filepath.Join(dir, oci.BootPolicyFile), "schema = 1\nepoch = 7\n[allow]\nkargs = [\"quiet\", \"panic=*\"]\n")
	return dir, ids
}

func TestPolicyCheck(t *testing.T) {
	dir, ids := policyDir(t)
	file := filepath.Join(dir, policyName)
	policy, err := oci.LoadPolicy(file)
	if err != nil {
		t.Fatal(err)
	}
	out := good(t, "policy", "check", dir)
	want := "policy  " + file + "\nsha256  " + policy.Hash() + `

registry.example/os: images of this repository and those below it
  signed by at least 2 of these 3 keys:
     ` + strings.Join(ids, "\n     ") + `
  for the name: the repository asked for, with any tag or none (matchRepository)

everything else: images that no other scope is for
  rejected, whoever signed

boot-policy.toml:
  schema                     1               the form of this file
  epoch                      7               a signature counts only with a signed epoch of 7 or more
  expires                    optional        `
	if !strings.HasPrefix(out, want) || !strings.Contains(out, "\n  allow.kargs                quiet, panic=*  the configuration may add kernel arguments that match\n") {
		t.Errorf("expected\n%s…\ngot\n%s", want, out)
	}
	if out != good(t, "policy", "check", file) {
		t.Error("expected the same for the file as for its directory")
	}

	text := good(t, "policy", "check", dir, "--json")
	checkKeys(t, text)
	var p checkedPolicy
	decode(t, regexp.MustCompile(`(?s)"boot": \{.*?\n  \}`).ReplaceAllString(text, `"boot": {}`), &p)
	if p.File != file || p.Hash != policy.Hash() || len(p.Rules) != 2 || p.Rules[0].Threshold != 2 || !p.Rules[1].Default || p.Warnings == nil || len(p.Warnings) != 0 {
		t.Errorf("got %+v", p)
	}
	if !strings.Contains(text, `"epoch": 7`) {
		t.Errorf("expected the boot policy, got %s", text)
	}
}

func TestPolicyCheckWarns(t *testing.T) {
	const reject, anything = `{"default": [{"type": "reject"}]}`, `[{"type": "insecureAcceptAnything"}]`
	for _, test := range []struct{ policy, boot, warning string }{
		{reject, "", "no image is ever accepted: payload build refuses this policy"},
		{reject, "[allow]\nunsigned = true\n", "allow.unsigned is on, but no scope accepts images without a signature"},
		{`{"default": [{"type": "reject"}], "transports": {"docker": {"": ` + anything + `}}}`, "[allow]\nunsigned = true\n", `the default is never asked: scope "" is for every image`},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, policyName), test.policy)
		write(t, filepath.Join(dir, oci.BootPolicyFile), "schema = 1\n"+test.boot)
		if out := good(t, "policy", "check", dir); !strings.Contains(out, "\nwarning  "+test.warning+"\n") {
			t.Errorf("expected %q, got\n%s", test.warning, out)
		}
	}
}

// TestPolicyCheckRefuses: what is wrong is said by the parser that the loader
// has too.
func TestPolicyCheckRefuses(t *testing.T) {
	dir, _ := policyDir(t)
	const place = "correct the policy at the place named"
	for _, test := range []struct{ policy, boot, message, hint string }{
		{`{"default": [{"type": "signedBy"}]}`, "", `policy.json: policy: policy.json: default: line 1, column 14: type "signedBy" is not supported`, place},
		{`{"defualt": []}`, "", `unknown key "defualt", the nearest is "default"`, place},
		{`{"default": [{"type": "insecureAcceptAnything"}]}`, "", `needs allow.unsigned = true in boot-policy.toml`, place},
		{`{"default": [{"type": "sigstoreSigned", "fulcio": {}}]}`, "", `unknown key "fulcio"`, place},
		{`{"default": [{"type": "sigstoreSigned", "keyPath": "gone.pub"}]}`, "", `keyPath: open .*gone.pub: no such file`, place},
		{`{"default": [{"type": "sigstoreSigned", "keyPath": "policy.json"}]}`, "", `unusable key: expected one PEM block`, "policies name public keys"},
		{`{"default": [{"type": "reject"}]}`, "schema = 1\nepok = 7\n", `boot-policy.toml: line 2: unknown key "epok", the nearest is "epoch"`, place},
	} {
		write(t, filepath.Join(dir, policyName), test.policy)
		write(t, filepath.Join(dir, oci.BootPolicyFile), test.boot)
		if test.boot == "" {
			write(t, filepath.Join(dir, oci.BootPolicyFile), "schema = 1\n")
		}
		for _, flags := range [][]string{nil, {"--json"}} {
			if out := bad(t, exitFailed, test.message, test.hint, append([]string{"policy", "check", dir}, flags...)...); out != "" {
				t.Errorf("%s: expected nothing on standard output, got %s", test.policy, out)
			}
		}
	}
	bad(t, exitFailed, "load policy: open .*policy.json: no such file", "", "policy", "check", t.TempDir())
	bad(t, exitUsage, "check: expected DIR|FILE, got 0 arguments", "see slipway policy check --help", "policy", "check")
	bad(t, exitUsage, `slipway policy: unknown command "chekc"`, `did you mean "check"`, "policy", "chekc")
}
