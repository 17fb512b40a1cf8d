package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/image/imagetest"
	"github.com/slipway-boot/slipway/payload/pack"
)

// buildArgs calls payload build with parts, and what a test changes.
func buildArgs(p imagetest.Parts, out string, more ...string) []string {
	return append([]string{"payload", "build", "--policy", p.Policy, "--config", p.Config, "--ca", p.CA,
		"--kernel-tree", p.Tree, "--stub", p.Stub, "--init", p.Init, "--output", out}, more...)
}

// built builds a payload and returns its file.
func built(t *testing.T, p imagetest.Parts, more ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "payload")
	if a := slipway(t, buildArgs(p, out, more...)...); a.code != 0 {
		t.Fatalf("got exit code %d: %s", a.code, a.err)
	}
	return out
}

var steps = []string{"reading policy, configuration and kernel", "packing the initramfs", "assembling the UKI", "writing payload"}

func TestBuild(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	parts := imagetest.New(t)
	for _, format := range pack.Formats() {
		dir := t.TempDir()
		out := filepath.Join(dir, "payload")
		a := slipway(t, buildArgs(parts, out, "--format", format, "--json")...)
		if want := "slipway: " + strings.Join(steps, "\nslipway: ") + "\n"; a.code != 0 || !strings.HasPrefix(a.err, want) {
			t.Fatalf("%s: expected %q, got exit code %d and %q", format, want, a.code, a.err)
		}
		checkKeys(t, a.out)
		var r pack.Result
		decode(t, a.out, &r)
		if r.Format != format || r.Output != out || r.SBOM != out+".spdx.json" || r.Release != imagetest.Release || len(r.SHA256) != 64 {
			t.Errorf("%s: got %+v", format, r)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
			t.Errorf("%s: expected a payload and an SBOM, got %v, %v", format, entries, err)
		}
		again := slipway(t, buildArgs(parts, filepath.Join(t.TempDir(), "payload"), "--format", format)...)
		if !strings.Contains(again.out, "sha256        "+r.SHA256+"\n") {
			t.Errorf("%s: a second build differs: %s", format, again.out)
		}
	}
}

// TestBuildForPeople: what was built, and a warning where there is one.
func TestBuildForPeople(t *testing.T) {
	parts := imagetest.New(t)
	kernel := "kernel " + imagetest.Release
	if err := os.RemoveAll(filepath.Join(parts.Tree, "usr")); err != nil { // the package's documents
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "payload")
	a := slipway(t, buildArgs(parts, out, "--cmdline", "console=ttyS0")...)
	for _, want := range []string{
		"^payload       " + out + "\n", "\nformat        uki, ", "\nkernel        " + imagetest.Release + "\n",
		"\ncommand line  console=ttyS0\n", "\npolicy        sha256 [0-9a-f]{64}\n", "\nsbom          " + out + ".spdx.json\nparts, in bytes:\n",
		"\n +[0-9]+  stub\n", "\n +[0-9]+  initramfs: init, unpacked\n",
	} {
		if !regexp.MustCompile(want).MatchString(a.out) {
			t.Errorf("expected %q, got\n%s", want, a.out)
		}
	}
	for _, want := range []string{"the kernel's package is not known", kernel + " has no module"} {
		if !strings.Contains(a.err, "slipway: warning: "+want) {
			t.Errorf("expected a warning %q, got %s", want, a.err)
		}
	}
}

// TestBadInput has one row for each way in which an operator's files can be
// wrong: what is said, with the line and the nearest valid word, and what to
// do about it. Nothing is written.
func TestBadInput(t *testing.T) {
	parts := imagetest.New(t)
	dir := filepath.Dir(parts.Policy)
	policy := func(name, text string) []string {
		return []string{"--policy", write(t, filepath.Join(dir, name), text)}
	}
	config := func(name, text string) []string {
		return []string{"--config", write(t, filepath.Join(dir, name), "schema = 1\n"+text)}
	}
	boot := func(name, text string) []string {
		d := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(d, "signer.pub"), read(t, strings.TrimSuffix(parts.PrivateKey, ".key")+".pub"))
		write(t, filepath.Join(d, oci.BootPolicyFile), text)
		return []string{"--policy", write(t, filepath.Join(d, "policy.json"), read(t, parts.Policy))}
	}
	signed := func(key string) string { return "{\"default\": [\n  {\"type\": \"sigstoreSigned\",\n   " + key + "}]}" }
	const policyHint, configHint = `boot-policy.toml.5.md`, `slipway.toml.5.md`
	for name, test := range map[string]struct {
		args          []string
		message, hint string
	}{
		"policy missing":      {[]string{"--policy", filepath.Join(dir, "gone.json")}, `load policy: open .*gone.json: no such file`, ``},
		"policy unreadable":   {[]string{"--policy", dir}, `load policy: read .*: is a directory`, ``},
		"policy empty":        {policy("p0.json", ""), `line 1, column 1: expected a value`, policyHint},
		"policy key":          {policy("p1.json", `{"defualt": []}`), `line 1, column 2: unknown key "defualt", the nearest is "default"`, policyHint},
		"policy key deep":     {policy("p2.json", signed(`"keyPaht": "signer.pub"`)), `line 3, column 4: unknown key "keyPaht", the nearest is "keyPath"`, policyHint},
		"policy key's case":   {policy("p3.json", signed(`"keypath": "signer.pub"`)), `line 3, column 4: key "keypath" differs from "keyPath" by case only`, policyHint},
		"policy type":         {policy("p4.json", `{"default": [{"type": "sigstoresigned"}]}`), `line 1, .*type "sigstoresigned" is not supported, the nearest is "sigstoreSigned"`, policyHint},
		"policy rejects all":  {policy("p5.json", `{"default": [{"type": "reject"}]}`), `expected at least one key`, policyHint},
		"policy takes all":    {policy("p6.json", `{"default": [{"type": "insecureAcceptAnything"}]}`), `line 1, .*needs allow.unsigned = true in boot-policy.toml`, policyHint},
		"private key":         {policy("p7.json", signed(`"keyPath": "signer.key"`)), `line 2, .*signer.key.*private key \(ENCRYPTED SIGSTORE PRIVATE KEY\), expected the public key`, `the .pub file that slipway keygen writes`},
		"key missing":         {policy("p8.json", signed(`"keyPath": "gone.pub"`)), `line 2, .*keyPath: open .*gone.pub: no such file`, policyHint},
		"boot policy key":     {boot("b1", "schema = 1\n\n[allow]\nkarg = []\n"), `boot-policy.toml: line 4: unknown key "karg", the nearest is "kargs"`, policyHint},
		"boot policy value":   {boot("b2", "schema = 1\nexpires = \"always\"\n"), `line 2: expires: expected "optional" or "required", got "always"`, policyHint},
		"boot policy schema":  {boot("b3", "schema = 2\n"), `line 1: schema: expected 1, got 2`, policyHint},
		"config missing":      {[]string{"--config", filepath.Join(dir, "gone.toml")}, `configuration: open .*gone.toml: no such file`, ``},
		"config key":          {config("c1.toml", "refrence = \"a.example/b:c\"\n"), `c1.toml: line 2: .*unknown key "refrence": did you mean "reference"\?`, configHint},
		"config value":        {config("c2.toml", "reference = \"a.example/b:c\"\nroot = \"disk\"\n"), `c2.toml: line 3: .*root: expected auto, direct, initrd, got "disk"`, configHint},
		"reference empty":     {config("c3.toml", "reference = \"\"\n"), `c3.toml: line 2: .*reference`, configHint},
		"reference missing":   {config("c4.toml", ""), `c4.toml: .*reference is empty`, configHint},
		"no registry":         {config("c5.toml", "\nreference = \"web:stable\"\n"), `c5.toml: line 3: .*no registry host, expected for example docker.io/library/web:stable`, configHint},
		"digest":              {config("c6.toml", "reference = \"a.example/b@sha256:12\"\n"), `c6.toml: line 2: .*digest "sha256:12" is not sha256: and 64 hex digits`, configHint},
		"no TOML":             {config("c7.toml", "reference = \"a\n"), `c7.toml: line 2: `, configHint},
		"CA missing":          {[]string{"--ca", filepath.Join(dir, "gone.pem")}, `TLS roots: open .*gone.pem: no such file`, ``},
		"private key as CA":   {[]string{"--ca", parts.PrivateKey}, `private key in a payload: .*line 1`, `take them out of this file`},
		"public key as CA":    {[]string{"--ca", filepath.Join(dir, "signer.pub")}, `tls roots: .*expected CERTIFICATE, got PUBLIC KEY`, ``},
		"no kernel":           {[]string{"--kernel-tree", t.TempDir()}, `kernel: .*expected one boot/vmlinuz-\*, got 0`, ``},
		"init missing":        {[]string{"--init", filepath.Join(dir, "gone")}, `init: open .*gone: no such file`, ``},
		"module":              {[]string{"--module", "virtio_nett"}, `virtio_nett: unknown module .*, the nearest is virtio_net`, ``},
		"stub missing":        {[]string{"--stub", filepath.Join(dir, "gone")}, `EFI stub \(Debian package systemd-boot-efi\): open .*gone`, ``},
		"nowhere to write to": {[]string{"--output", filepath.Join(dir, "gone", "payload")}, `output: open .*: no such file or directory`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "payload")
			a := slipway(t, buildArgs(parts, out, test.args...)...)
			for _, step := range steps { // said until it failed
				a.err = strings.TrimPrefix(a.err, "slipway: "+step+"\n")
			}
			a.refused(t, exitFailed, test.message, test.hint, "payload build")
			if entries, err := os.ReadDir(filepath.Dir(out)); err != nil || len(entries) != 0 || a.out != "" {
				t.Errorf("left behind: %v, %v, %q", entries, err, a.out)
			}
		})
	}
}

func TestBuildEnvironment(t *testing.T) {
	parts := imagetest.New(t)
	args := buildArgs(parts, filepath.Join(t.TempDir(), "payload"))
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	bad(t, exitUsage, `SOURCE_DATE_EPOCH: expected seconds since 1970, got "yesterday"`, "", args...)
	os.Unsetenv("SOURCE_DATE_EPOCH")
	// The test program has no loader beside it.
	bad(t, exitFailed, "init: .*slipway-init: no such file", "run make build, or name the program with --init", append(args, "--init=")...)
}
