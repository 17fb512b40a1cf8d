package oci

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// testKeys reads keyPath values of tests: names of the key samples.
func testKeys(path string) ([]byte, error) { return os.ReadFile(keyDir + filepath.Base(path)) }

func TestParsePolicyRefusals(t *testing.T) {
	signed := func(rest string) string {
		return "{\"default\": [\n{\"type\": \"sigstoreSigned\"" + rest + "}]}"
	}
	scope := func(s string) string {
		return fmt.Sprintf(`{"default":[{"type":"reject"}],"transports":{"docker":{%q:[{"type":"reject"}]}}}`, s)
	}
	identity := func(s string) string { return signed(`,"keyPath":"cosign.pub","signedIdentity":` + s) }
	for name, c := range map[string]struct{ text, want string }{
		"empty":                 {``, "line 1, column 1"},
		"no default":            {`{}`, `key "default" is missing`},
		"empty default":         {`{"default": []}`, "default: expected 1 to 64 requirements, got 0"},
		"default null":          {`{"default": null}`, "got 0"},
		"unknown top key":       {`{"defualt": []}`, `unknown key "defualt", the nearest is "default"`},
		"another transport":     {`{"default":[{"type":"reject"}],"transports":{"docker-daemon":{}}}`, `unknown key "docker-daemon"`},
		"case":                  {`{"Default":[{"type":"reject"}]}`, `by case only`},
		"duplicate":             {`{"default":[{"type":"reject"}],"default":[{"type":"reject"}]}`, "twice"},
		"duplicate scope":       {`{"default":[{"type":"reject"}],"transports":{"docker":{"a.b":[{"type":"reject"}],"a.b":[]}}}`, `key "a.b" twice`},
		"empty scope list":      {`{"default":[{"type":"reject"}],"transports":{"docker":{"a.b":[]}}}`, `scope "a.b": expected 1 to 64`},
		"unknown type":          {`{"default":[{"type":"sigstoreSinged"}]}`, `line 1, column 13: type "sigstoreSinged" is not supported, the nearest is "sigstoreSigned"`},
		"signedBy":              {`{"default":[{"type":"signedBy"}]}`, `type "signedBy" is not supported`},
		"signedBaseLayer":       {`{"default":[{"type":"signedBaseLayer"}]}`, `is not supported`},
		"reject with key":       {`{"default":[{"type":"reject","keyPath":"x"}]}`, "takes no other key"},
		"insecure":              {`{"default":[{"type":"insecureAcceptAnything"}]}`, "needs allow.unsigned = true in boot-policy.toml"},
		"fulcio":                {signed(`,"fulcio":{}`), `line 2, column 27: unknown key "fulcio"`},
		"rekor":                 {signed(`,"keyPath":"cosign.pub","rekorPublicKeyPath":"r"`), `unknown key "rekorPublicKeyPath"`},
		"misspelt key":          {signed(`,"keypath":"cosign.pub"`), `key "keypath" differs from "keyPath" by case only`},
		"no key":                {signed(``), "line 2, column 1: type sigstoreSigned: expected one of keyPath, keyPaths, keyData, keyDatas, got 0"},
		"two ways":              {signed(`,"keyPath":"cosign.pub","keyData":"` + base64.StdEncoding.EncodeToString(readFile(t, keyDir+"c-p256.pub")) + `"`), "got 2 of them"},
		"empty keyPaths":        {signed(`,"keyPaths":[]`), "keyPaths: expected 1 to 32 keys, got 0"},
		"empty keyDatas":        {signed(`,"keyDatas":[]`), "keyDatas: expected 1 to 32 keys, got 0"},
		"missing key file":      {signed(`,"keyPath":"nothing.pub"`), "no such file"},
		"private key":           {signed(`,"keyPath":"cosign.key"`), "this is a private key (ENCRYPTED SIGSTORE PRIVATE KEY), expected the public key"},
		"p384":                  {signed(`,"keyPath":"c-p384.pub"`), "got ECDSA P-384"},
		"ed25519":               {signed(`,"keyPath":"c-ed25519.pub"`), "got ed25519.PublicKey"},
		"same key twice":        {signed(`,"keyPaths":["cosign.pub","cosign.pub"]`), "key 2 (cosign.pub): the same key twice"},
		"bad base64":            {signed(`,"keyData":"!"`), "illegal base64"},
		"same requirement":      {`{"default":[{"type":"sigstoreSigned","keyPath":"cosign.pub"},{"type":"sigstoreSigned","keyPath":"cosign.pub"}]}`, "the same requirement twice"},
		"identity type":         {identity(`{"type":"matchRepositry"}`), `unknown type "matchRepositry", the nearest is "matchRepository"`},
		"identity key":          {identity(`{"type":"matchRepository","prefix":"a.b"}`), `takes no key "prefix"`},
		"identity key missing":  {identity(`{"type":"exactReference"}`), `key "dockerReference" is missing`},
		"exactReference":        {identity(`{"type":"exactReference","dockerReference":"a.b/c"}`), "neither tag nor digest"},
		"exactRepository":       {identity(`{"type":"exactRepository","dockerRepository":"a.b/c:d"}`), "expected host/repository without tag"},
		"exactRepository short": {identity(`{"type":"exactRepository","dockerRepository":"busybox"}`), "expected host/repository without tag"},
		"remap tag":             {identity(`{"type":"remapIdentity","prefix":"a.b/c:d","signedPrefix":"e.f"}`), "repository component"},
		"remap wildcard":        {identity(`{"type":"remapIdentity","prefix":"*.b","signedPrefix":"e.f"}`), "not a host name"},
		"remap empty":           {identity(`{"type":"remapIdentity","prefix":"","signedPrefix":"e.f"}`), "no registry host"},
		"scope short name":      {scope("busybox"), "no registry host"},
		"scope scheme":          {scope("docker://a.b/c"), "can never match"},
		"scope upper case":      {scope("A.b"), "lower case"},
		"scope upper case path": {scope("a.b/C"), "can never match"},
		"scope slash":           {scope("a.b/"), "can never match"},
		"scope tag and digest":  {scope("a.b/c:d@" + testDigest), "a tag or a digest"},
		"scope wildcard path":   {scope("*.b/c"), "can never match"},
		"scope wildcard port":   {scope("*.b:5000"), "without port"},
		"scope wildcard middle": {scope("a.*.b"), "not a host name"},
		"scope index.docker.io": {scope("index.docker.io/library/x"), "called docker.io"},
		"invalid UTF-8":         {"{\"default\":[{\"type\":\"reject\xff\"}]}", "invalid UTF-8"},
		"too large":             {strings.Repeat(" ", maxPolicyFile) + `{"default":[{"type":"reject"}]}`, "at most"},
	} {
		_, err := ParsePolicy([]byte(c.text), nil, testKeys)
		if !errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, got %v", name, c.want, err)
		}
	}
	if _, err := ParsePolicy([]byte(signed(`,"keyPath":"cosign.pub"`)), nil, nil); err == nil || !strings.Contains(err.Error(), "expected keyData") {
		t.Errorf("key file without reader: got %v", err)
	}
}

func TestParseBootPolicyRefusals(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no schema":       {"epoch = 1", `key "schema" is missing, expected schema = 1`},
		"empty":           {"", `key "schema" is missing`},
		"schema 2":        {"# x\nschema = 2", "line 2: schema: expected 1, got 2"},
		"unknown":         {"schema = 1\nepcoh = 3", `line 2: unknown key "epcoh", the nearest is "epoch"`},
		"case":            {"schema = 1\nEpoch = 3", `line 2: unknown key "Epoch", the nearest is "epoch"`},
		"unknown table":   {"schema = 1\n[alow]\nkargs = []", `line 2: unknown key "alow", the nearest is "allow"`},
		"unknown allow":   {"schema = 1\n[allow]\nkargz = []", `line 3: unknown key "kargz", the nearest is "kargs"`},
		"inline allow":    {"schema = 1\nallow = { wype = true }", `line 2: unknown key "wype", the nearest is "wipe"`},
		"wrong table":     {"schema = 1\nunsigned = true", `line 2: key "unsigned" stands in the wrong table`},
		"deep":            {"schema = 1\n[allow.kargs.x]\ny = 1", "kargs"},
		"far off":         {"schema = 1\nzzzzzzzzzz = 1", `expected one of schema, epoch`},
		"negative epoch":  {"schema = 1\nepoch = -1", "line 2: epoch: expected a number from 0"},
		"text epoch":      {"schema = 1\nepoch = \"1\"", "line 2"},
		"expires":         {"schema = 1\nexpires = \"always\"", `line 2: expires: expected "optional" or "required", got "always"`},
		"expires empty":   {"schema = 1\nexpires = \"\"", `line 2: expires`},
		"ref":             {"schema = 1\nref = true", "line 2"},
		"bundle-identity": {"schema = 1\nbundle-identity = \"none\"", `expected "signed" or "waived"`},
		"kargs pattern":   {"schema = 1\n[allow]\nkargs = [\"a[\"]", `line 3: allow.kargs: "a[" is not a pattern`},
		"kargs empty":     {"schema = 1\n[allow]\nkargs = [\"\"]", `is not a pattern`},
		"twice":           {"schema = 1\nschema = 1", "line 2"},
		"no TOML":         {"schema: 1", "line 1"},
		"too large":       {"schema = 1\n" + strings.Repeat("#", maxPolicyFile), "at most"},
	} {
		_, err := ParsePolicy([]byte(`{"default":[{"type":"reject"}]}`), []byte(c.text), nil)
		if !errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), BootPolicyFile) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, got %v", name, c.want, err)
		}
	}
}

const fullBootPolicy = `# the floor
schema = 1
epoch = 7
expires = "required"
ref = "required"
bundle-identity = "waived"
[allow]
kargs = ["quiet", "console=*"]
containers = true
wipe = true
insecure-registry = true
unsigned-extra-args = true
rescue = true
unsigned = true
`

const fullPolicy = `{
  "default": [{"type": "reject"}],
  "transports": {"docker": {
    "": [{"type": "insecureAcceptAnything"}],
    "*.example": [{"type": "sigstoreSigned", "keyPath": "cosign.pub"}],
    "a.example/os": [
      {"type": "sigstoreSigned", "keyPaths": ["cosign.pub", "c-p256.pub"], "signedIdentity": {"type": "matchRepository"}},
      {"type": "sigstoreSigned", "keyPaths": ["c-rsa2048.pub", "c-p256.pub"], "signedIdentity": {"type": "matchExact"}}
    ],
    "a.example/x": [{"type": "sigstoreSigned", "keyPath": "keys/c-rsa4096.pub", "signedIdentity": {"type": "exactReference", "dockerReference": "b.example/y:z"}}],
    "a.example/y": [{"type": "sigstoreSigned", "keyPath": "cosign.pub", "signedIdentity": {"type": "exactRepository", "dockerRepository": "b.example/y"}}],
    "a.example/z": [{"type": "sigstoreSigned", "keyPath": "cosign.pub", "signedIdentity": {"type": "remapIdentity", "prefix": "a.example", "signedPrefix": "b.example/q"}}]
  }}
}`

func TestPolicyFiles(t *testing.T) {
	p, err := ParsePolicy([]byte(fullPolicy), []byte(fullBootPolicy), testKeys)
	if err != nil {
		t.Fatal(err)
	}
	want := BootPolicy{1, 7, RuleRequired, RuleRequired, IdentityWaived, Allow{[]string{"quiet", "console=*"}, true, true, true, true, true, true}}
	if got := p.Boot(); !reflect.DeepEqual(got, want) {
		t.Errorf("expected %+v, got %+v", want, got)
	}
	policy, boot, err := p.Files()
	if err != nil {
		t.Fatal(err)
	}
	if string(boot) != fullBootPolicy {
		t.Errorf("boot policy changed: %s", boot)
	}
	if strings.Contains(string(policy), "keyPath") {
		t.Errorf("the policy still names key files:\n%s", policy)
	}
	again, err := ParsePolicy(policy, boot, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, policy)
	}
	if again.Hash() != p.Hash() || len(p.Hash()) != 64 {
		t.Errorf("expected hash %s, got %s", p.Hash(), again.Hash())
	}
	more, _, err := again.Files()
	if err != nil || string(more) != string(policy) {
		t.Errorf("the self-contained form is not stable: %v", err)
	}
}

// TestPolicyHash changes one thing at a time.
func TestPolicyHash(t *testing.T) {
	hash := func(policy, boot string) string {
		p, err := ParsePolicy([]byte(policy), []byte(boot), testKeys)
		if err != nil {
			t.Fatal(err)
		}
		return p.Hash()
	}
	base := hash(fullPolicy, fullBootPolicy)
	for name, same := range map[string]string{
		"white space":  strings.ReplaceAll(fullPolicy, "\n", " "),
		"order of any": strings.Replace(fullPolicy, `"cosign.pub", "c-p256.pub"`, `"c-p256.pub", "cosign.pub"`, 1),
		"default type": strings.Replace(fullPolicy, `"keyPath": "cosign.pub"}`, `"keyPath": "cosign.pub", "signedIdentity": {"type": "matchRepoDigestOrExact"}}`, 1),
	} {
		if hash(same, fullBootPolicy) != base {
			t.Errorf("%s: the hash changed", name)
		}
	}
	for name, other := range map[string]string{
		"key":      strings.Replace(fullPolicy, `"keys/c-rsa4096.pub"`, `"c-rsa3072.pub"`, 1),
		"scope":    strings.Replace(fullPolicy, `"*.example"`, `"*.test"`, 1),
		"identity": strings.Replace(fullPolicy, "matchRepository", "matchExact", 1),
		"prefix":   strings.Replace(fullPolicy, "b.example/q", "b.example/r", 1),
		"default":  strings.Replace(fullPolicy, `[{"type": "reject"}]`, `[{"type": "insecureAcceptAnything"}]`, 1),
	} {
		if hash(other, fullBootPolicy) == base {
			t.Errorf("%s: the hash did not change", name)
		}
	}
	if hash(fullPolicy, strings.Replace(fullBootPolicy, "epoch = 7", "epoch = 8", 1)) == base {
		t.Error("epoch: the hash did not change")
	}
	if hash(fullPolicy, strings.Replace(fullBootPolicy, "# the floor\n", "", 1)) != base {
		t.Error("a comment changed the hash")
	}
}

func TestLoadPolicy(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("policy.json", []byte(`{"default":[{"type":"sigstoreSigned","keyPath":"keys/a.pub"}]}`))
	write("keys/a.pub", readFile(t, keyDir+"cosign.pub"))
	p, err := LoadPolicy(filepath.Join(dir, "policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Boot(); !reflect.DeepEqual(got, defaultBootPolicy()) {
		t.Errorf("expected the defaults, got %+v", got)
	}
	if _, boot, err := p.Files(); err != nil || string(boot) != "schema = 1\n" {
		t.Errorf("expected a minimal boot policy, got %q, %v", boot, err)
	}
	write(BootPolicyFile, []byte("schema = 1\nepoch = 3\n"))
	if p, err = LoadPolicy(filepath.Join(dir, "policy.json")); err != nil || p.Boot().Epoch != 3 {
		t.Errorf("expected epoch 3, got %v", err)
	}
	write(BootPolicyFile, []byte("schema = 1\nepoch = x\n"))
	if _, err = LoadPolicy(filepath.Join(dir, "policy.json")); !errors.Is(err, ErrPolicy) {
		t.Errorf("expected %v, got %v", ErrPolicy, err)
	}
	if _, err = LoadPolicy(filepath.Join(dir, "nothing.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("expected %v, got %v", os.ErrNotExist, err)
	}
}

// TestScopes follows the lookup of containers-policy.json(5).
func TestScopes(t *testing.T) {
	for in, want := range map[string][]string{
		"a.b.example:5000/x/y:z": {
			"a.b.example:5000/x/y:z", "a.b.example:5000/x/y", "a.b.example:5000/x", "a.b.example:5000", "*.b.example", "*.example", "",
		},
		"localhost/x@" + testDigest:        {"localhost/x@" + testDigest, "localhost/x", "localhost", ""},
		"a.example/x:t@" + testDigest:      {"a.example/x@" + testDigest, "a.example/x:t", "a.example/x", "a.example", "*.example", ""},
		"[::1]:5000/x:y":                   {"[::1]:5000/x:y", "[::1]:5000/x", "[::1]:5000", ""},
		"docker.io/library/busybox:latest": {"docker.io/library/busybox:latest", "docker.io/library/busybox", "docker.io/library", "docker.io", "*.io", ""},
	} {
		ref, err := ParseReference(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := scopesOf(ref); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: expected %q, got %q", in, want, got)
		}
		for _, scope := range want {
			if err := checkScope(scope); err != nil {
				t.Errorf("%s: scope %q is refused: %v", in, scope, err)
			}
		}
	}
}

func TestRequirements(t *testing.T) {
	p, err := ParsePolicy([]byte(fullPolicy), []byte(fullBootPolicy), testKeys)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"a.example/os/web:1": `scope "a.example/os"`,
		"a.example/other:1":  `scope "*.example"`,
		"a.examples/other:1": `scope ""`,
	} {
		ref, _ := ParseReference(in)
		if scope, list := p.requirements(ref); scope != want || len(list) == 0 {
			t.Errorf("%s: expected %s, got %s", in, want, scope)
		}
	}
	ref, _ := ParseReference("a.example/x:1")
	if scope, list := new(Policy).requirements(ref); scope != "default" || len(list) != 0 {
		t.Errorf("zero policy: got %s %v", scope, list)
	}
	if _, _, err := new(Policy).Files(); !errors.Is(err, ErrPolicy) {
		t.Errorf("zero policy: expected %v, got %v", ErrPolicy, err)
	}
}

func TestAllowKarg(t *testing.T) {
	a := Allow{Kargs: []string{"quiet", "console=*", "root=/dev/*"}}
	for arg, want := range map[string]bool{
		"quiet": true, "console=ttyS0,115200": true, "root=/dev/sda": true,
		"quiets": false, "console=/x": false, "root=/dev/disk/x": false, "init=/bin/sh": false, "": false,
	} {
		if got := a.Karg(arg); got != want {
			t.Errorf("%q: expected %v, got %v", arg, want, got)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(fullPolicy), []byte(fullBootPolicy))
	f.Add([]byte(`{"default":[{"type":"reject"}]}`), []byte("schema = 1\n"))
	f.Add([]byte(`{"default":[{"type":"sigstoreSigned","keyDatas":["QQ=="],"signedIdentity":{"type":"matchExact"}}]}`), []byte("schema = 1\n[allow]\nunsigned = true"))
	f.Fuzz(func(t *testing.T, policy, boot []byte) {
		p, err := ParsePolicy(policy, boot, testKeys)
		if err != nil {
			if !errors.Is(err, ErrPolicy) {
				t.Fatalf("expected %v, got %v", ErrPolicy, err)
			}
			return
		}
		if !json.Valid(policy) {
			t.Fatalf("accepted what is no JSON: %q", policy)
		}
		policy, boot, err = p.Files()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePolicy(policy, boot, nil)
		if err != nil || again.Hash() != p.Hash() {
			t.Fatalf("the self-contained form differs: %v\n%s\n%s", err, policy, boot)
		}
	})
}
