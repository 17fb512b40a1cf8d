package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload"
)

// kargs are an image's own arguments: two files, and one argument that only a
// disk installation has.
var kargs = map[string]string{
	"usr/lib/bootc/kargs.d/10-console.toml": `kargs = ["console=ttyS0,115200", "root=LABEL=disk"]`,
	"usr/lib/bootc/kargs.d/20-quiet.toml":   `kargs = ["quiet"]`,
}

func planOf(t *testing.T, args ...string) *payload.Plan {
	t.Helper()
	out := good(t, append([]string{"plan", "--json"}, args...)...)
	checkKeys(t, out)
	var p payload.Plan
	decode(t, out, &p)
	return &p
}

func TestPlanJSON(t *testing.T) {
	r := newRig(t)
	image := bootable(t, kargs)
	ref := r.signed(t, "os/web:1", image)
	conf := write(t, r.path("slipway.toml"), "schema = 1\nreference = \""+ref+"\"\nkargs = [\"panic=9\"]\n")
	write(t, r.path(oci.BootPolicyFile), "schema = 1\n[allow]\nkargs = [\"panic=*\"]\n")
	p := planOf(t, ref, "--policy", r.policy, "--ca", r.ca, "--config", conf, "--memory", "64G")
	wantArgs := []payload.Arg{
		{Value: "console=ttyS0,115200", Origin: "image 10-console.toml"},
		{Value: "quiet", Origin: "image 20-quiet.toml"},
		{Value: "panic=9", Origin: "configuration built in"},
		{Value: "rootfstype=ramfs", Origin: "slipway"},
		{Value: "systemd.gpt_auto=0", Origin: "slipway"},
		{Value: "slipway.digest=" + digest(t, image), Origin: "slipway"},
	}
	if !slices.Equal(p.Args, wantArgs) {
		t.Errorf("arguments: expected %+v, got %+v", wantArgs, p.Args)
	}
	if want := "console=ttyS0,115200 quiet panic=9 rootfstype=ramfs systemd.gpt_auto=0 slipway.digest=" + digest(t, image); p.Cmdline != want {
		t.Errorf("command line: expected %q, got %q", want, p.Cmdline)
	}
	if p.Reference != ref || p.Digest != digest(t, image) || p.Instance != "" || p.KernelRelease != imageRelease || p.Root != "direct" {
		t.Errorf("got %+v", p)
	}
	if len(p.Layers) != 2 || p.Fetch != p.Layers[0].Size+p.Layers[1].Size || p.Layers[0].DiffID == p.Layers[0].Digest || p.Memory <= p.RootSize+p.KernelSize {
		t.Errorf("sizes: got %+v", p)
	}
	var raw map[string]any
	if err := json.Unmarshal([]byte(good(t, "plan", ref, "--policy", r.policy, "--ca", r.ca, "--json")), &raw); err != nil {
		t.Fatal(err)
	}
	layer := raw["layers"].([]any)[0].(map[string]any)
	for _, key := range []string{"digest", "diff_id", "size", "media_type"} {
		if layer[key] == nil {
			t.Errorf("layer: expected %q, got %v", key, layer)
		}
	}
}

func TestPlanForPeople(t *testing.T) {
	r := newRig(t)
	image := bootable(t, kargs)
	ref := r.signed(t, "os/web:1", image)
	p := planOf(t, ref, "--policy", r.policy, "--ca", r.ca)
	out := good(t, "plan", ref, "--policy", r.policy, "--ca", r.ca)
	want := fmt.Sprintf(`reference  %s
digest     %s
policy     sha256 %s
signed by  %s (tag, bundle)
           ref=%s
fetch      %d kB in 2 layers
kernel     6.12.0-test, %d kB
root       direct, %d kB
memory     %d MiB or more
arguments  image 10-console.toml  console=ttyS0,115200
           image 20-quiet.toml    quiet
           slipway                rootfstype=ramfs
           slipway                systemd.gpt_auto=0
           slipway                slipway.digest=%s
signatures looked at:
`, ref, digest(t, image), p.Policy, p.Signers[0].KeyID, ref, (p.Fetch+500)/1000, (p.KernelSize+500)/1000, (p.RootSize+500)/1000, (p.Memory+1<<20-1)>>20, digest(t, image))
	if !strings.HasPrefix(out, want) || strings.Count(out, "\n  counted ") != 2 {
		t.Errorf("expected\n%s\ngot\n%s", want, out)
	}
}

// TestPlanMemory: what the plan asks for is enough, and less is not.
func TestPlanMemory(t *testing.T) {
	r := newRig(t)
	ref := r.signed(t, "os/web:1", bootable(t, nil))
	args := []string{"plan", ref, "--policy", r.policy, "--ca", r.ca}
	need := mebibytes(planOf(t, args[1:]...).Memory)
	good(t, append(args, "--memory", fmt.Sprintf("%dM", need))...)
	for _, flag := range []string{"", "--json"} {
		call := append(args, "--memory", fmt.Sprintf("%dM", need-1))
		if flag != "" {
			call = append(call, flag)
		}
		message := fmt.Sprintf("plan: not enough memory: expected %d MiB or more, got %d MiB", need, need-1)
		if out := bad(t, exitFailed, message, "give the machine more memory", call...); !strings.Contains(out, digest(t, bootable(t, nil))) {
			t.Errorf("expected the plan all the same, got %q", out)
		}
	}
}

// TestPlanConfig: the configuration's mirrors and root count, and a flag
// before its mirrors.
func TestPlanConfig(t *testing.T) {
	t.Parallel() // it waits for a registry that does not answer
	r := newRig(t)
	const name = nowhere + "/os/web"
	policy := r.policyByRepository(t)
	r.sign(t, "copy/web:1", bootable(t, nil), oci.SignOptions{Identity: name})
	conf := write(t, r.path("slipway.toml"), `schema = 1
reference = "`+name+`:1"
root = "initrd"
[mirrors]
"`+name+`" = ["`+r.Host()+`/copy/web"]
`)
	args := []string{name + ":1", "--policy", policy, "--ca", r.ca, "--config", conf}
	if p := planOf(t, args...); p.Root != "initrd" || p.Reference != name+":1" || !strings.HasPrefix(p.Cmdline, "systemd.gpt_auto=0 ") {
		t.Errorf("got %+v", p)
	}
	bad(t, exitFailed, "os/web:1: .*not found", "check the reference", append([]string{"plan", "--mirror", name + "=" + r.Host() + "/gone"}, args...)...)
}

func TestPlanRefuses(t *testing.T) {
	r := newRig(t)
	ref := r.signed(t, "os/web:1", bootable(t, nil))
	conf := func(name, text string) string { return write(t, r.path(name), text) }
	extra := conf("extra.toml", "schema = 1\nreference = \""+ref+"\"\nkargs = [\"rescue\"]\n")
	broken := r.signed(t, "os/broken:1", bootable(t, map[string]string{"usr/lib/modules/7.0/vmlinuz": "another"}))
	for _, test := range []struct{ message, hint, ref, config string }{
		{`configuration: open .*gone.toml: no such file`, ``, ref, r.path("gone.toml")},
		{`bad.toml: line 2: .*unknown key "refrence": did you mean "reference"\?`, `slipway.toml.5.md`, ref, conf("bad.toml", "schema = 1\nrefrence = \"a\"\n")},
		{`hand off: policy: kargs: .*rescue`, `policy`, ref, extra},
		{`^extract: not a bootable image`, `boot a bootc image`, broken, ""},
		{`^verify: \S+/os/unsigned:1: .*not signed`, `slipway sign`, r.Push(t, "os/unsigned:1", bootable(t, nil)), ""},
		{`^fetch: \S+/os/gone:1: not found`, `check the reference`, r.Host() + "/os/gone:1", ""},
	} {
		args := []string{"plan", test.ref, "--policy", r.policy, "--ca", r.ca}
		if test.config != "" {
			args = append(args, "--config", test.config)
		}
		if out := bad(t, exitFailed, test.message, test.hint, args...); out != "" {
			t.Errorf("expected nothing on standard output, got %q", out)
		}
	}
	image := bootable(t, map[string]string{"expired": "true"})
	expired := r.sign(t, "os/old:1", image, oci.SignOptions{Annotations: map[string]string{"expires": "2001-01-01T00:00:00Z"}})
	if out := bad(t, exitFailed, "signature expired", "later expiry", "plan", expired, "--policy", r.policy, "--ca", r.ca); !strings.HasPrefix(out, "signatures looked at:\n  not counted  tag ") {
		t.Errorf("expected the signatures, got %q", out)
	}
}
