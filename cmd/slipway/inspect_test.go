package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/internal/version"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/image/imagetest"
	"github.com/slipway-boot/slipway/payload/pack"
	"github.com/slipway-boot/slipway/payload/uki"
	"github.com/slipway-boot/slipway/payload/uki/ukitest"
)

func TestInspect(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	parts := imagetest.New(t)
	write(t, filepath.Join(filepath.Dir(parts.Policy), oci.BootPolicyFile), "schema = 1\nepoch = 5\nexpires = \"required\"\n[allow]\nkargs = [\"quiet\", \"panic=*\"]\nrescue = true\n")
	file := built(t, parts, "--format", "disk", "--demo")
	out := good(t, "payload", "inspect", file)
	for _, want := range []string{
		"^format        disk, ",
		"\nsha256        [0-9a-f]{64}\n",
		"\npayload       slipway " + regexp.QuoteMeta(version.String()) + ", built 2023-11-14T22:13:20Z\n",
		"\nwarning       built with throw-away keys: never use it on a real machine\n",
		"\nkernel        " + imagetest.Release + "\n",
		"\ncommand line  " + regexp.QuoteMeta(pack.DefaultCmdline) + "\n",
		"\nmodules       3\n",
		"\npolicy        sha256 [0-9a-f]{64}\n",
		"\nrule          everything else: reject\n",
		"\nrule          registry.example: sigstoreSigned " + parts.KeyID + "\n",
		"\nfloors        epoch 5, expires required, ref optional, bundle identity signed\n",
		"\nallows        kargs quiet panic=\\*, rescue\n",
		"\ntls root      CN=slipway test CA, until ",
		"\nsbom          " + file + ".spdx.json: [0-9]+ packages, of this file\n",
		"\nconfiguration, built in:\n    schema = 1\n    reference = \"" + imagetest.Reference + "\"\n",
		"\nconfiguration, on the ESP: the same\n",
		"\nparts, in bytes:\n +[0-9]+  UKI\n",
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("expected %q, got\n%s", want, out)
		}
	}
	if regexp.MustCompile(`(?m)[ \t]$`).MatchString(out) {
		t.Errorf("white space at the end of a line: %q", out)
	}

	text := good(t, "payload", "inspect", file, "--json")
	checkKeys(t, text)
	var info pack.Info
	decode(t, regexp.MustCompile(`(?s)"boot": \{.*?\n    \}`).ReplaceAllString(text, `"boot": {}`), &info)
	if info.Format != pack.Disk || !info.Demo || info.Config != imagetest.Config || info.ESPConfig != imagetest.Config || len(info.Modules) != 3 {
		t.Errorf("got %+v", info)
	}
	if !strings.Contains(text, `"epoch": 5`) || !strings.Contains(text, `"rescue": true`) {
		t.Errorf("expected the boot policy, got %s", text)
	}
}

// TestInspectOthers: a policy that allows nothing, another file's SBOM, and
// files that are not slipway's.
func TestInspectOthers(t *testing.T) {
	first, second := built(t, imagetest.New(t)), built(t, imagetest.New(t))
	write(t, first+".spdx.json", read(t, second+".spdx.json"))
	out := good(t, "payload", "inspect", first)
	for _, want := range []string{"allows        nothing\n", "packages, of ANOTHER file\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q, got\n%s", want, out)
		}
	}
	kernel := write(t, filepath.Join(t.TempDir(), "vmlinuz"), string(ukitest.Kernel("6.9.9")))
	if out := good(t, "payload", "inspect", kernel); !strings.HasPrefix(out, "format  kernel, 3 kB\nsha256  ") || !strings.Contains(out, "\nkernel  6.9.9\nparts, in bytes:\n") {
		t.Errorf("got %s", out)
	}
	bad(t, exitFailed, "inspect: open .*gone: no such file", "", "payload", "inspect", filepath.Join(t.TempDir(), "gone"))
	bad(t, exitFailed, "not a payload: expected a disk image, a UKI, an initramfs or a kernel", "", "payload", "inspect", write(t, filepath.Join(t.TempDir(), "text"), "text\n"))
}

// TestInspectIsSafe: a stranger's file does not reach the terminal's controls.
func TestInspectIsSafe(t *testing.T) {
	image, err := uki.Assemble(uki.Spec{Stub: ukitest.Stub(ukitest.Layout{Spare: 8}), Linux: ukitest.Kernel("6.9.9"), Cmdline: "quiet <]0;owned>"})
	if err != nil {
		t.Fatal(err)
	}
	hostile := strings.Replace(string(image), "<]0;owned>", "\x1b]0;owned\x07", 1) // the builder itself refuses it
	out := good(t, "payload", "inspect", write(t, filepath.Join(t.TempDir(), "uki"), hostile))
	if strings.ContainsAny(out, "\x1b\x07") || !strings.Contains(out, "quiet ?]0;owned?") {
		t.Errorf("got %q", out)
	}
}
