package pack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
	"github.com/slipway-boot/slipway/payload/disk"
	"github.com/slipway-boot/slipway/payload/image"
	"github.com/slipway-boot/slipway/payload/image/imagetest"
	"github.com/slipway-boot/slipway/payload/uki"
	"github.com/slipway-boot/slipway/payload/uki/ukitest"
)

var built = time.Date(2026, 11, 20, 10, 30, 14, 0, time.UTC)

func options(p imagetest.Parts, format, output string) Options {
	return Options{
		Format: format, Output: output, Init: p.Init, KernelTree: p.Tree, Modules: []string{"extra-driver"},
		PolicyFile: p.Policy, ConfigFile: p.Config, CAFile: p.CA, Stub: p.Stub, Built: built, Version: "1.2.3+test", Demo: true,
	}
}

func mustBuild(t testing.TB, o Options) *Result {
	t.Helper()
	r, err := Build(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustInspect(t testing.TB, path string) *Info {
	t.Helper()
	i, err := Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBuild(t *testing.T) {
	parts := imagetest.New(t)
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			o := options(parts, format, filepath.Join(dir, "payload"))
			var steps []string
			o.Progress = func(s string) { steps = append(steps, s) }
			r := mustBuild(t, o)
			if len(steps) != 4 || steps[3] != "writing payload" {
				t.Errorf("steps: got %v", steps)
			}
			i := mustInspect(t, o.Output)
			checkInfo(t, i, r, parts)
			if format == Disk {
				want := []string{disk.BootPath, layout.ESPConfig}
				if len(i.Files) != 2 || i.Files[0].Path != want[0] || i.Files[1].Path != want[1] || i.ESPConfig != imagetest.Config {
					t.Errorf("EFI system partition: got %+v, configuration %q", i.Files, i.ESPConfig)
				}
			}
			checkSBOM(t, r, parts)
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 2 {
				t.Errorf("in the directory: got %v, %v, want payload and SBOM", entries, err)
			}
			if info, err := os.Stat(o.Output); err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("mode: got %v, %v", info.Mode(), err)
			}
			if _, err := json.Marshal(i); err != nil {
				t.Error(err)
			}
		})
	}
}

func checkInfo(t *testing.T, i *Info, r *Result, parts imagetest.Parts) {
	t.Helper()
	if i.Format != r.Format || i.Size != r.Size || i.SHA256 != r.SHA256 || !i.Payload || i.Version != "1.2.3+test" || !i.Demo || !i.Built.Equal(built) {
		t.Errorf("got %+v, built %+v", i, r)
	}
	if i.KernelRelease != imagetest.Release || r.Release != imagetest.Release || i.Cmdline != DefaultCmdline || r.Cmdline != DefaultCmdline {
		t.Errorf("kernel %s, command line %q", i.KernelRelease, i.Cmdline)
	}
	if i.Config != imagetest.Config || !strings.Contains(i.OSRelease, "PRETTY_NAME=\"slipway 1.2.3+test on Linux "+imagetest.Release+"\"") {
		t.Errorf("configuration %q, os-release %q", i.Config, i.OSRelease)
	}
	if i.Policy.Hash != r.Policy || len(i.Policy.Rules) != 2 || !slices.Equal(i.Policy.Rules[0].Requirements[0].Keys, []string{parts.KeyID}) {
		t.Errorf("policy: got %+v", i.Policy)
	}
	text, err := json.Marshal(i.Policy)
	for _, want := range []string{`"insecure-registry":false`, `"bundle-identity":"signed"`, `"epoch":0`} {
		if err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("boot policy: got %s, %v, want %s", text, err, want)
		}
	}
	if len(i.Certificates) != 1 || i.Certificates[0].Subject != "CN=slipway test CA" || i.Certificates[0].NotAfter.Before(built) {
		t.Errorf("certificates: got %+v", i.Certificates)
	}
	if len(i.Modules) != 4 || !slices.Equal(i.Modules, r.Modules) {
		t.Errorf("modules: got %+v, built %+v", i.Modules, r.Modules)
	}
	if i.SBOM == nil || !i.SBOM.Matches || i.SBOM.Path != r.SBOM {
		t.Errorf("SBOM: got %+v", i.SBOM)
	}
}

// checkSBOM checks what SPDX 2.3 demands, and what the GPL needs.
func checkSBOM(t *testing.T, r *Result, parts imagetest.Parts) {
	t.Helper()
	var d spdxDocument
	if err := json.Unmarshal(read(t, r.SBOM), &d); err != nil {
		t.Fatal(err)
	}
	if d.Version != "SPDX-2.3" || d.DataLicense != "CC0-1.0" || d.ID != documentID || d.Name == "" || !strings.HasPrefix(d.Namespace, "https://") ||
		d.Creation.Created != "2026-11-20T10:30:14Z" || !slices.Equal(d.Creation.Creators, []string{"Tool: slipway-1.2.3+test"}) {
		t.Errorf("document: got %+v", d)
	}
	byID := map[string]spdxPackage{}
	for _, p := range d.Packages {
		if _, twice := byID[p.ID]; twice || !strings.HasPrefix(p.ID, spdxPrefix) || strings.ContainsAny(p.ID, "_/ ") {
			t.Errorf("package ID %q: twice or not valid", p.ID)
		}
		if p.Name == "" || p.DownloadLocation == "" || p.LicenseConcluded == "" || p.LicenseDeclared == "" || p.Copyright == "" {
			t.Errorf("package %s: a field is missing: %+v", p.ID, p)
		}
		byID[p.ID] = p
	}
	for _, x := range d.Relationships {
		if _, ok := byID[x.To]; !ok || x.From != documentID && byID[x.From].ID == "" {
			t.Errorf("relationship between unknown elements: %+v", x)
		}
	}
	kernel := byID[spdxPrefix+"Kernel"]
	if kernel.Name != "linux-image-"+imagetest.Release || kernel.Version != "6.1.0-7" || kernel.DownloadLocation != "https://snapshot.debian.org/package/linux/6.1.0-7/" {
		t.Errorf("kernel: got %+v", kernel)
	}
	var words, modules []string
	for _, p := range d.Packages {
		if p.Name == "linux-modules" {
			words = append(words, p.LicenseDeclared)
		}
		if len(p.Refs) > 0 && strings.HasPrefix(p.Refs[0].Locator, "pkg:golang/golang.org/x/sys@v") {
			modules = append(modules, p.Comment)
		}
	}
	if !slices.Equal(words, []string{"MIT OR GPL-2.0-only", "GPL-2.0-only", "GPL-2.0-only"}) {
		t.Errorf("licences of modules: got %v", words)
	}
	if len(modules) != 1 || !strings.HasPrefix(modules[0], "go.sum: h1:") {
		t.Errorf("golang.org/x/sys: got %v", modules)
	}
}

func TestReproducible(t *testing.T) {
	parts := imagetest.New(t)
	for _, format := range Formats() {
		var sums [2]*Result
		for n := range sums {
			sums[n] = mustBuild(t, options(parts, format, filepath.Join(t.TempDir(), "payload")))
		}
		for _, f := range []func(*Result) string{func(r *Result) string { return r.Output }, func(r *Result) string { return r.SBOM }} {
			if !bytes.Equal(read(t, f(sums[0])), read(t, f(sums[1]))) {
				t.Errorf("%s: two builds of %s differ", format, filepath.Base(f(sums[0])))
			}
		}
	}
}

// TestRealStub assembles onto the stub that distributions ship.
func TestRealStub(t *testing.T) {
	o := options(imagetest.New(t), UKI, filepath.Join(t.TempDir(), "payload"))
	o.Stub = ""
	if _, err := os.Stat(DefaultStub); err != nil {
		t.Fatalf("install the Debian package systemd-boot-efi: %v", err)
	}
	i := mustInspect(t, mustBuild(t, o).Output)
	if !strings.Contains(i.Stub, "systemd-stub") || !slices.ContainsFunc(i.SBOM.Packages, func(p SBOMPackage) bool {
		return p.Name == "systemd-boot-efi" && p.Version != "" && strings.HasPrefix(p.Source, "https://snapshot.debian.org/package/systemd/")
	}) {
		t.Errorf("stub: got %q, SBOM %+v", i.Stub, i.SBOM.Packages)
	}
}

// TestKernelChoice covers the ways to name a kernel.
func TestKernelChoice(t *testing.T) {
	parts := imagetest.New(t)
	bare := filepath.Join(t.TempDir(), "bzImage")
	write(t, bare, ukitest.Kernel("6.9.9"))
	for name, tc := range map[string]struct {
		o       Options
		release string
	}{
		"only one in the tree": {Options{KernelTree: parts.Tree}, imagetest.Release},
		"release":              {Options{KernelTree: parts.Tree, Release: imagetest.Release}, imagetest.Release},
		"image and tree":       {Options{KernelTree: parts.Tree, KernelImage: parts.Kernel}, imagetest.Release},
		"image alone":          {Options{KernelImage: bare}, "6.9.9"},
	} {
		k, err := openKernel(tc.o)
		if err != nil || k.Release != tc.release {
			t.Errorf("%s: got %+v, %v", name, k, err)
		}
	}
	o := options(parts, UKI, filepath.Join(t.TempDir(), "payload"))
	o.KernelTree, o.KernelImage, o.Modules = "", bare, nil
	r := mustBuild(t, o)
	if len(r.Modules) != 0 || !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "where its source is") }) {
		t.Errorf("without a tree: got %+v", r)
	}
}

// TestRefuses has one row for each way in which input can be bad. Nothing may
// be left behind, and an older payload stays.
func TestRefuses(t *testing.T) {
	parts := imagetest.New(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		write(t, path, []byte(text))
		return path
	}
	policyDir := func(name, policy, boot string) string {
		d := filepath.Join(dir, name)
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(d, "policy.json"), []byte(policy))
		if boot != "" {
			write(t, filepath.Join(d, "boot-policy.toml"), []byte(boot))
		}
		return filepath.Join(d, "policy.json")
	}
	signed := func(key string) string {
		return `{"default": [{"type": "sigstoreSigned", "keyPath": "` + key + `"}]}`
	}
	public := strings.TrimSuffix(parts.PrivateKey, ".key") + ".pub"
	for name, tc := range map[string]struct {
		change func(*Options)
		want   error
		text   string
	}{
		"format":           {func(o *Options) { o.Format = "floppy" }, ErrFormat, `"floppy": expected uki or disk`},
		"no policy":        {func(o *Options) { o.PolicyFile = filepath.Join(dir, "none.json") }, fs.ErrNotExist, "none.json"},
		"policy directory": {func(o *Options) { o.PolicyFile = dir }, nil, "policy"},
		"policy key":       {func(o *Options) { o.PolicyFile = policyDir("p1", `{"defualt": []}`, "") }, oci.ErrPolicy, "default"},
		"boot policy key":  {func(o *Options) { o.PolicyFile = policyDir("p2", signed(public), "schema = 1\n[allow]\nkarg = []\n") }, oci.ErrPolicy, `line 3: unknown key "karg", the nearest is "kargs"`},
		"private key":      {func(o *Options) { o.PolicyFile = policyDir("p3", signed(parts.PrivateKey), "") }, oci.ErrKey, "private key"},
		"no key file":      {func(o *Options) { o.PolicyFile = policyDir("p4", signed("gone.pub"), "") }, fs.ErrNotExist, "gone.pub"},
		"rejects all":      {func(o *Options) { o.PolicyFile = policyDir("p5", `{"default": [{"type": "reject"}]}`, "") }, image.ErrPolicy, "at least one key"},
		"no configuration": {func(o *Options) { o.ConfigFile = "" }, nil, "configuration: expected a file, got none"},
		"unknown key":      {func(o *Options) { o.ConfigFile = file("c1", "schema = 1\nrefrence = \"a.example/b:c\"\n") }, config.ErrConfig, "line 2"},
		"empty reference":  {func(o *Options) { o.ConfigFile = file("c2", "schema = 1\nreference = \"\"\n") }, config.ErrConfig, "line 2"},
		"no registry":      {func(o *Options) { o.ConfigFile = file("c3", "schema = 1\nreference = \"web:stable\"\n") }, oci.ErrReference, "line 2"},
		"bad digest":       {func(o *Options) { o.ConfigFile = file("c4", "schema = 1\n\nreference = \"a.example/b@sha256:12\"\n") }, oci.ErrReference, "line 3"},
		"no CA":            {func(o *Options) { o.CAFile = filepath.Join(dir, "none.pem") }, fs.ErrNotExist, "TLS roots"},
		"key as CA":        {func(o *Options) { o.CAFile = parts.PrivateKey }, image.ErrPrivateKey, "line 1"},
		"text as CA":       {func(o *Options) { o.CAFile = parts.Config }, image.ErrCA, ""},
		"no init":          {func(o *Options) { o.Init = "" }, nil, "init: expected a file"},
		"text as init":     {func(o *Options) { o.Init = parts.Config }, image.ErrInit, ""},
		"text as stub":     {func(o *Options) { o.Stub = parts.Config }, uki.ErrFormat, "stub"},
		"no stub":          {func(o *Options) { o.Stub = filepath.Join(dir, "none.stub") }, fs.ErrNotExist, "systemd-boot-efi"},
		"no kernel":        {func(o *Options) { o.KernelTree = "" }, ErrKernel, ""},
		"empty tree":       {func(o *Options) { o.KernelTree = dir }, ErrKernel, "got 0"},
		"text as kernel":   {func(o *Options) { o.KernelImage = parts.Config }, ErrKernel, ""},
		"other release":    {func(o *Options) { o.KernelImage, o.Release = parts.Kernel, "5.0" }, ErrKernel, "expected release 5.0"},
		"no such module":   {func(o *Options) { o.Modules = []string{"virtio_nett"} }, kmod.ErrUnknown, "the nearest is virtio_net"},
		"command line":     {func(o *Options) { o.Cmdline = strings.Repeat("a", 2048) }, uki.ErrCmdline, "2047"},
		"no directory":     {func(o *Options) { o.Output = filepath.Join(dir, "none", "payload") }, fs.ErrNotExist, "output"},
		"no output":        {func(o *Options) { o.Output = "" }, nil, "output"},
	} {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			o := options(parts, UKI, filepath.Join(out, "payload"))
			write(t, o.Output, []byte("older"))
			o.Bare = true
			tc.change(&o)
			_, err := Build(context.Background(), o)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v, want %v with %q", err, tc.want, tc.text)
			}
			entries, _ := os.ReadDir(out)
			if len(entries) != 1 || string(read(t, filepath.Join(out, "payload"))) != "older" {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}

// TestKernelLacks refuses a kernel whose configuration misses something.
func TestKernelLacks(t *testing.T) {
	parts := imagetest.New(t)
	name := filepath.Join(parts.Tree, "boot", "config-"+imagetest.Release)
	good := read(t, name)
	for _, n := range needed {
		write(t, name, bytes.Replace(good, []byte(n.option+"=y"), []byte("# "+n.option+" is not set"), 1))
		if _, err := openKernel(Options{KernelTree: parts.Tree}); !errors.Is(err, ErrKernel) || !strings.Contains(err.Error(), n.option) {
			t.Errorf("%s: got %v", n.option, err)
		}
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := openKernel(Options{KernelTree: parts.Tree}); err != nil {
		t.Errorf("without a configuration beside it: %v", err)
	}
	write(t, filepath.Join(parts.Tree, "boot", "vmlinuz-2"), good)
	if _, err := openKernel(Options{KernelTree: parts.Tree}); !errors.Is(err, ErrKernel) || !strings.Contains(err.Error(), "got 2") {
		t.Errorf("two kernels: got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := options(imagetest.New(t), UKI, filepath.Join(t.TempDir(), "payload"))
	o.Progress = func(string) { cancel() }
	if _, err := Build(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
