package image

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ulikunitz/xz"

	"github.com/slipway-boot/slipway/internal/cpio"
	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
	"github.com/slipway-boot/slipway/payload/image/imagetest"
)

var built = time.Now().Add(-time.Hour)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func policy(t testing.TB, file string) *oci.Policy {
	t.Helper()
	p, err := oci.LoadPolicy(file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// spec is what a payload of the test parts is made of.
func spec(t testing.TB, p imagetest.Parts) Spec {
	t.Helper()
	return Spec{
		Init: read(t, p.Init), Policy: policy(t, p.Policy), Config: read(t, p.Config), CA: read(t, p.CA),
		Info:   layout.PayloadInfo{Version: "1.2.3", Built: built.Unix(), Demo: true},
		Kernel: os.DirFS(p.Tree), Release: imagetest.Release, Modules: []string{"extra_driver"},
	}
}

func TestInitramfs(t *testing.T) {
	parts := imagetest.New(t)
	s := spec(t, parts)
	var b bytes.Buffer
	res, err := Initramfs(&b, s)
	if err != nil {
		t.Fatal(err)
	}
	if res.Size != int64(b.Len()) || res.Plain < int64(len(s.Init)) || len(res.Parts) != 3 {
		t.Errorf("got %+v for %d bytes", res, b.Len())
	}
	if !slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, "has no module e1000e (network: Intel)") }) {
		t.Errorf("no warning of a missing driver: %v", res.Warnings)
	}
	for _, w := range res.Warnings {
		if strings.Contains(w, "tpm_tis") || strings.Contains(w, "virtio_net") {
			t.Errorf("warning of a module that is there: %s", w)
		}
	}
	c, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Init, s.Init) || !bytes.Equal(c.Config, s.Config) || !bytes.Equal(c.CA, s.CA) || *c.Info != s.Info {
		t.Error("read back: init, configuration, TLS roots or payload.json differ")
	}
	if c.Policy.Hash() != s.Policy.Hash() {
		t.Errorf("policy hash: got %s, want %s", c.Policy.Hash(), s.Policy.Hash())
	}
	if c.Compression != "zstd" || c.Release != imagetest.Release || c.Plain != res.Plain || !slices.Equal(c.Modules, res.Modules) {
		t.Errorf("got %s, %s, %d bytes, %v", c.Compression, c.Release, c.Plain, c.Modules)
	}
	var names []string
	for _, m := range res.Modules {
		names = append(names, m.Name+"="+m.License)
	}
	want := []string{"extra_driver=Dual MIT/GPL", "virtio_net=GPL", "vfat=GPL", "failover=GPL v2"}
	if !slices.Equal(names, want) {
		t.Errorf("modules: got %v, want %v", names, want)
	}
	checkTree(t, b.Bytes(), s)
}

// checkTree checks members one by one, and that the loader could use the
// modules.
func checkTree(t *testing.T, packed []byte, s Spec) {
	t.Helper()
	plain := unpack(t, packed)
	r := cpio.NewReader(bytes.NewReader(plain), cpio.Limits{})
	tree := fstest.MapFS{}
	modes := map[string]fs.FileMode{}
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != built.Unix() || h.UID != 0 || h.GID != 0 {
			t.Errorf("%s: time %v, owner %d:%d", h.Name, h.ModTime, h.UID, h.GID)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		modes[h.Name] = h.Mode
		if h.Mode.IsRegular() {
			tree[h.Name] = &fstest.MapFile{Data: data, Mode: h.Mode}
		}
	}
	for name, want := range map[string]fs.FileMode{
		"init": 0o755, "dev": fs.ModeDir | 0o755, "proc": fs.ModeDir | 0o755, "sys": fs.ModeDir | 0o755, "run": fs.ModeDir | 0o755, "tmp": fs.ModeDir | 0o755,
		"dev/console": fs.ModeDevice | fs.ModeCharDevice | 0o600, layout.PolicyJSON: 0o644, layout.BootPolicy: 0o644,
		layout.Config: 0o644, layout.CA: 0o644, layout.Payload: 0o644,
		"lib/modules/" + s.Release + "/kernel/drivers/net/virtio_net.ko": 0o644,
	} {
		if got, ok := modes[name]; !ok || got != want {
			t.Errorf("%s: got mode %v, %v, want %v", name, got, ok, want)
		}
	}
	x, err := kmod.Open(tree, "lib/modules/"+s.Release)
	if err != nil {
		t.Fatal(err)
	}
	names := x.Match("virtio:d00000001v00001AF4")
	paths, err := x.Closure(names...)
	if err != nil || len(paths) != 2 {
		t.Fatalf("modules for a virtio network card: got %v, %v", paths, err)
	}
	if _, err := x.Read(paths[0]); err != nil {
		t.Error(err)
	}
	if !x.BuiltIn("tpm_tis") || x.Has("cdc_ether") {
		t.Error("the index is not that of the subset")
	}
}

func unpack(t *testing.T, packed []byte) []byte {
	t.Helper()
	for _, c := range compressions {
		if c.name != "none" && bytes.HasPrefix(packed, []byte(c.magic)) {
			r, err := c.open(newBuffered(packed))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return plain
		}
	}
	t.Fatal("not compressed")
	return nil
}

func TestReproducible(t *testing.T) {
	s := spec(t, imagetest.New(t))
	s.Init = head(s.Init)
	var one, two bytes.Buffer
	for _, w := range []io.Writer{&one, &two} {
		if _, err := Initramfs(w, s); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two initramfs of one spec differ")
	}
}

// TestWithoutModules is a payload whose kernel has everything built in.
func TestWithoutModules(t *testing.T) {
	s := spec(t, imagetest.New(t))
	s.Init = head(s.Init)
	for name, change := range map[string]func(*Spec){
		"no kernel": func(s *Spec) { s.Kernel, s.Modules = nil, nil },
		"bare":      func(s *Spec) { s.Bare, s.Modules = true, nil },
	} {
		x := s
		change(&x)
		var b bytes.Buffer
		res, err := Initramfs(&b, x)
		if err != nil || len(res.Modules) != 0 {
			t.Fatalf("%s: got %+v, %v", name, res, err)
		}
		if c, err := Read(&b); err != nil || c.Release != "" {
			t.Errorf("%s: got %+v, %v", name, c, err)
		}
	}
	x := s
	x.Bare = true
	var b bytes.Buffer
	if res, err := Initramfs(&b, x); err != nil || len(res.Modules) != 1 || len(res.Warnings) != 0 {
		t.Errorf("bare with one module: got %+v, %v", res, err)
	}
}

func TestRefuses(t *testing.T) {
	parts := imagetest.New(t)
	good := spec(t, parts)
	private := read(t, parts.PrivateKey)
	reject, err := oci.ParsePolicy([]byte(`{"default": [{"type": "reject"}]}`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	dynamic := read(t, parts.Init)
	dynamic = bytes.Clone(dynamic)
	markDynamic(t, dynamic)
	for name, tc := range map[string]struct {
		change func(*Spec)
		want   error
		text   string
	}{
		"no policy":    {func(s *Spec) { s.Policy = nil }, ErrPolicy, "got none"},
		"zero policy":  {func(s *Spec) { s.Policy = &oci.Policy{} }, ErrPolicy, ""},
		"no keys":      {func(s *Spec) { s.Policy = reject }, ErrPolicy, "at least one key"},
		"no CA":        {func(s *Spec) { s.CA = nil }, ErrCA, "found none"},
		"CA is no PEM": {func(s *Spec) { s.CA = []byte("hello\n") }, ErrCA, "found none"},
		"CA is a public key": {func(s *Spec) {
			s.CA = append(bytes.Clone(good.CA), read(t, strings.TrimSuffix(parts.PrivateKey, ".key")+".pub")...)
		}, ErrCA, "line "},
		"CA is damaged":      {func(s *Spec) { s.CA = []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") }, ErrCA, "line 1"},
		"CA with a key":      {func(s *Spec) { s.CA = append(bytes.Clone(good.CA), private...) }, ErrPrivateKey, "ca.pem line "},
		"key in config":      {func(s *Spec) { s.Config = append([]byte("# \n# "), private...) }, ErrPrivateKey, "slipway.toml line 2"},
		"unknown key":        {func(s *Spec) { s.Config = []byte("schema = 1\nrefrence = \"a/b:c\"\n") }, config.ErrConfig, "line 2"},
		"empty reference":    {func(s *Spec) { s.Config = []byte("schema = 1\nreference = \"\"\n") }, config.ErrConfig, "line 2"},
		"no registry":        {func(s *Spec) { s.Config = []byte("schema = 1\nreference = \"web:stable\"\n") }, oci.ErrReference, "line 2"},
		"bad digest":         {func(s *Spec) { s.Config = []byte("schema = 1\nreference = \"r.example/a@sha256:1\"\n") }, oci.ErrReference, "line 2"},
		"init is text":       {func(s *Spec) { s.Init = []byte("#!/bin/sh\n") }, ErrInit, "static ELF"},
		"init is dynamic":    {func(s *Spec) { s.Init = dynamic }, ErrInit, "CGO_ENABLED=0"},
		"init is for arm64":  {func(s *Spec) { s.Arch = "arm64" }, ErrInit, "arm64"},
		"other architecture": {func(s *Spec) { s.Arch = "vax" }, ErrInit, "vax"},
		"unknown module":     {func(s *Spec) { s.Modules = []string{"extra_drivr"} }, kmod.ErrUnknown, "the nearest is extra_driver"},
		"no tree":            {func(s *Spec) { s.Kernel = nil }, ErrModules, "kernel tree"},
		"other release":      {func(s *Spec) { s.Release = "5.0" }, fs.ErrNotExist, "5.0"},
		"release is a path":  {func(s *Spec) { s.Release = "../modules" }, ErrModules, "../modules"},
		"no release":         {func(s *Spec) { s.Release = "" }, ErrModules, ""},
	} {
		s := good
		tc.change(&s)
		var b bytes.Buffer
		_, err := Initramfs(&b, s)
		if !errors.Is(err, tc.want) || err != nil && !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: got %v, want %v with %q", name, err, tc.want, tc.text)
		}
		if b.Len() > 0 {
			t.Errorf("%s: something was written", name)
		}
	}
}

// TestModuleOfOtherKernel refuses a module in the wrong directory.
func TestModuleOfOtherKernel(t *testing.T) {
	parts := imagetest.New(t)
	s := spec(t, parts)
	s.Release = "6.1.1-test-amd64"
	other := os.DirFS(parts.Tree).(fs.ReadDirFS)
	tree := fstest.MapFS{}
	if err := fs.WalkDir(other, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			data, _ := fs.ReadFile(other, name)
			tree[strings.ReplaceAll(name, imagetest.Release, s.Release)] = &fstest.MapFile{Data: data}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.Kernel = tree
	if _, err := Initramfs(io.Discard, s); !errors.Is(err, ErrModules) || !strings.Contains(err.Error(), "got one for "+imagetest.Release) {
		t.Errorf("got %v", err)
	}
}

func TestExpiredCA(t *testing.T) {
	s := spec(t, imagetest.New(t))
	s.Init = head(s.Init)
	s.CA = imagetest.CA(t, built.Add(-time.Hour))
	res, err := Initramfs(io.Discard, s)
	if err != nil || !slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, "slipway test CA") && strings.Contains(w, "expired") }) {
		t.Errorf("got %+v, %v", res, err)
	}
}

// TestDefaultModules keeps the table tidy.
func TestDefaultModules(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range DefaultModules() {
		if m.Name == "" || m.Why == "" || strings.Contains(m.Name, "-") || seen[m.Name] {
			t.Errorf("row %+v: empty, twice, or not spelled as the kernel does", m)
		}
		seen[m.Name] = true
	}
}

// archive makes a small cpio.
func archive(t testing.TB, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b, built)
	if err := errors.Join(w.File(name, 0o644, data), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestReadForeign reads what others make: microcode in front, other compressions.
func TestReadForeign(t *testing.T) {
	early := append(archive(t, "kernel/x86/microcode/x.bin", []byte("m")), make([]byte, 512)...)
	plain := archive(t, "init", []byte("program"))
	var gz, x bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Write(plain)
	g.Close()
	xw, err := xz.NewWriter(&x)
	if err != nil {
		t.Fatal(err)
	}
	xw.Write(plain)
	xw.Close()
	zst, err := compress(plain)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"none": plain, "gzip": gz.Bytes(), "xz": x.Bytes(), "zstd": zst} {
		for _, in := range [][]byte{body, slices.Concat(early, body), slices.Concat(early, early, body)} {
			c, err := Read(bytes.NewReader(in))
			if err != nil || string(c.Init) != "program" || c.Compression != name || c.Info != nil || c.Policy != nil {
				t.Errorf("%s: got %+v, %v", name, c, err)
			}
		}
	}
	for name, in := range map[string][]byte{
		"nothing": nil, "text": []byte("hello world"), "cut off": zst[:len(zst)-5], "zeros": make([]byte, 4096),
		"garbage behind": append(bytes.Clone(early), "garbage"...), "endless": bytes.Repeat(early, maxArchives*2),
		"bad payload.json": archive(t, layout.Payload, []byte("{")),
	} {
		if _, err := Read(bytes.NewReader(in)); name != "endless" && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
	if _, err := Read(bytes.NewReader(archive(t, layout.PolicyJSON, []byte("{}")))); !errors.Is(err, ErrPolicy) {
		t.Errorf("bad policy: got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	zst, err := compress(archive(f, layout.PolicyJSON, []byte(`{"default": [{"type": "reject"}]}`)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(zst)
	f.Add(archive(f, "lib/modules/1/a.ko", []byte("\x7fELF")))
	f.Add(archive(f, layout.Payload, []byte(`{"built": 1}`)))
	f.Fuzz(func(t *testing.T, in []byte) {
		if c, err := Read(bytes.NewReader(in)); err == nil && c.Policy != nil && len(c.Policy.Rules()) == 0 {
			t.Error("a policy that parses has no rules")
		}
	})
}

func FuzzCertificates(f *testing.F) {
	f.Add(imagetest.CA(f, built))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, err := Certificates(in)
		if err == nil && (len(list) == 0 || bytes.Contains(in, []byte("PRIVATE KEY-----"))) {
			t.Errorf("accepted %q", in)
		}
	})
}
