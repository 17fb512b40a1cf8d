package kmod

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"golang.org/x/sys/unix"

	"github.com/slipway-boot/slipway/internal/kmod/kmodtest"
)

const (
	release = "6.1.0-test"
	dir     = "lib/modules/" + release
)

// tree is a small kernel: a chain of dependencies, soft dependencies by name
// and by alias (one in a circle), and two modules that depend on nothing.
func tree() fstest.MapFS {
	return kmodtest.Tree(release, []string{"kernel/fs/built-in"},
		kmodtest.Spec{Path: "kernel/net/top-one.ko", Depends: []string{"mid", "low_one"},
			Aliases: []string{"pci:v00001234d*sv*", "fs-a-[a-z]-x", "has blank"},
			Softdep: []string{"pre: soft-one absent built-in post: last"}},
		kmodtest.Spec{Path: "kernel/net/mid.ko", Depends: []string{"low_one"}},
		kmodtest.Spec{Path: "kernel/lib/low-one.ko", Softdep: []string{"pre: crypto-sum"}},
		kmodtest.Spec{Path: "kernel/lib/soft-one.ko", Softdep: []string{"pre: top-one"}},
		kmodtest.Spec{Path: "kernel/lib/last.ko"},
		kmodtest.Spec{Path: "kernel/lib/sum_generic.ko", Aliases: []string{"crypto-sum"}, License: "Dual BSD/GPL"},
		kmodtest.Spec{Path: "kernel/lib/sum_fast.ko", Aliases: []string{"crypto-sum"}},
		kmodtest.Spec{Path: "kernel/lib/alone.ko", Aliases: []string{"usb:v1p*"}},
	)
}

// depmod unpacks a tree and runs the real depmod over it.
func depmod(t *testing.T, from fs.FS) fs.FS {
	t.Helper()
	tool, err := exec.LookPath("depmod")
	if err != nil {
		if tool = "/usr/sbin/depmod"; !exists(tool) {
			t.Fatal("depmod(8) is missing: install the Debian package kmod")
		}
	}
	root := t.TempDir()
	if err := os.CopyFS(root, from); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "-b", root, release).CombinedOutput(); err != nil {
		t.Fatalf("depmod: %v: %s", err, out)
	}
	return os.DirFS(root)
}

func exists(file string) bool { _, err := os.Stat(file); return err == nil }

func mustOpen(t *testing.T, fsys fs.FS) *Index {
	t.Helper()
	x, err := Open(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func mustScan(t *testing.T, fsys fs.FS, names ...string) *Index {
	t.Helper()
	x, err := Scan(fsys, dir, names...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestClosure checks order, on depmod's index and on ours.
func TestClosure(t *testing.T) {
	indexes := map[string]*Index{"Open": mustOpen(t, depmod(t, tree())), "Scan": mustScan(t, tree())}
	for how, x := range indexes {
		for names, want := range map[string]string{
			"alone":          "lib/alone",
			"built_in":       "",
			"built-in alone": "lib/alone",
			"mid":            "lib/sum_fast lib/sum_generic lib/low-one net/mid",
			"top_one":        "lib/soft-one lib/sum_fast lib/sum_generic lib/low-one net/mid net/top-one lib/last",
			"mid top-one":    "lib/sum_fast lib/sum_generic lib/low-one net/mid lib/soft-one net/top-one lib/last",
		} {
			got, err := x.Closure(strings.Fields(names)...)
			if err != nil {
				t.Errorf("%s: %s: %v", how, names, err)
			}
			for i := range got {
				got[i] = strings.TrimSuffix(strings.TrimPrefix(got[i], "kernel/"), ".ko")
			}
			if w := strings.Fields(want); !slices.Equal(sorted(got), sorted(w)) || !ordered(got) {
				t.Errorf("%s: Closure(%s) = %v, want %v", how, names, got, w)
			}
		}
		if _, err := x.Closure("alone", "nothing"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "nothing") {
			t.Errorf("%s: unknown name: got %v", how, err)
		}
		if !x.Has("top-one") || x.Has("built_in") || !x.BuiltIn("built_in") || x.BuiltIn("alone") {
			t.Errorf("%s: Has or BuiltIn is wrong", how)
		}
	}
}

func sorted(s []string) []string { s = slices.Clone(s); slices.Sort(s); return s }

// ordered checks the load order of what TestClosure asks for.
func ordered(paths []string) bool {
	for _, pair := range [][2]string{
		{"lib/low-one", "net/mid"}, {"net/mid", "net/top-one"}, {"lib/sum_generic", "lib/low-one"},
		{"lib/soft-one", "net/top-one"}, {"net/top-one", "lib/last"},
	} {
		a, b := slices.Index(paths, pair[0]), slices.Index(paths, pair[1])
		if a >= 0 && b >= 0 && a > b {
			return false
		}
	}
	return true
}

// TestScanNamed reads only what is needed, and everything once an alias in a
// soft dependency makes that necessary.
func TestScanNamed(t *testing.T) {
	fsys := tree()
	fsys[dir+"/kernel/lib/alone.ko"] = &fstest.MapFile{Data: []byte("no module")}
	x := mustScan(t, fsys, "last", "nothing")
	if got, err := x.Closure("last"); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	if !x.Has("alone") {
		t.Error("a module that was not read is unknown by name")
	}
	if _, err := Scan(fsys, dir, "low-one"); !errors.Is(err, ErrFormat) {
		t.Errorf("an alias in a soft dependency did not make Scan read every module: %v", err)
	}
	if got, err := mustScan(t, tree(), "low-one").Closure("low-one"); err != nil || len(got) != 3 {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestIndexFiles compares with depmod run over exactly the same subset.
func TestIndexFiles(t *testing.T) {
	x := mustScan(t, tree())
	paths, err := x.Closure("top-one")
	if err != nil {
		t.Fatal(err)
	}
	subset := fstest.MapFS{
		dir + "/modules.builtin": tree()[dir+"/modules.builtin"],
		dir + "/modules.order":   {},
	}
	for _, p := range paths {
		subset[dir+"/"+p] = tree()[dir+"/"+p]
	}
	ref := depmod(t, subset)
	files, err := x.IndexFiles(paths)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 {
		t.Fatalf("got %d files", len(files))
	}
	for _, f := range files {
		want, err := fs.ReadFile(ref, dir+"/"+f.Name)
		if err != nil {
			t.Fatal(err)
		}
		want = bytes.ReplaceAll(want, []byte("alias has blank top_one\n"), nil)
		if got, want := lines(f.Data), lines(want); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", f.Name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		subset[dir+"/"+f.Name] = &fstest.MapFile{Data: f.Data}
	}
	again, err := mustOpen(t, subset).Closure("top-one")
	if err != nil || !slices.Equal(again, paths) {
		t.Errorf("Closure over the written index: got %v, %v, want %v", again, err, paths)
	}
	if _, err := x.IndexFiles(paths[len(paths)-2:]); !errors.Is(err, ErrUnknown) {
		t.Errorf("a subset without its dependencies: got %v", err)
	}
	if _, err := x.IndexFiles([]string{"kernel/x.ko"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("a path that is not there: got %v", err)
	}
}

// lines returns what matters of an index, with '-' as '_' and in order.
func lines(b []byte) []string {
	var out []string
	for line := range strings.Lines(string(b)) {
		// depmod lists dependencies that do not need each other in any order.
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		slices.Sort(words[1:])
		out = append(out, strings.Join(words, " "))
	}
	slices.Sort(out)
	return out
}

func TestRead(t *testing.T) {
	plain := kmodtest.Module(kmodtest.Spec{Path: "a.ko"}, release)
	pack := func(f func(*bytes.Buffer) (interface {
		Write([]byte) (int, error)
		Close() error
	}, error)) []byte {
		var b bytes.Buffer
		w, err := f(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(plain)
		w.Close()
		return b.Bytes()
	}
	type wc = interface {
		Write([]byte) (int, error)
		Close() error
	}
	gz := pack(func(b *bytes.Buffer) (wc, error) { return gzip.NewWriter(b), nil })
	fsys := fstest.MapFS{
		dir + "/k/a.ko":     {Data: plain},
		dir + "/k/b.ko.gz":  {Data: gz},
		dir + "/k/c.ko.xz":  {Data: pack(func(b *bytes.Buffer) (wc, error) { return xz.NewWriter(b) })},
		dir + "/k/d.ko.zst": {Data: pack(func(b *bytes.Buffer) (wc, error) { return zstd.NewWriter(b) })},
		dir + "/k/e.ko.gz":  {Data: gz[:len(gz)-9]},
		dir + "/k/f.ko":     {Data: []byte("MZ")},
		dir + "/k/g.ko.gz":  {Data: nil},
	}
	x := newIndex(fsys, dir)
	for _, name := range []string{"k/a.ko", "k/b.ko.gz", "k/c.ko.xz", "k/d.ko.zst"} {
		if got, err := x.Read(name); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
		if info, err := x.modinfo(name); err != nil || info.Name != "a" || info.Release != release || info.License != "GPL" {
			t.Errorf("%s: got %+v, %v", name, info, err)
		}
	}
	for _, name := range []string{"k/e.ko.gz", "k/f.ko", "k/g.ko.gz", "k/nothing.ko"} {
		if _, err := x.Read(name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestReadBomb refuses a module that inflates beyond the limit.
func TestReadBomb(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(elfMagic))
	zeros := make([]byte, 1<<20)
	for range MaxModuleSize>>20 + 1 {
		w.Write(zeros)
	}
	w.Close()
	x := newIndex(fstest.MapFS{"m/a.ko.gz": {Data: b.Bytes()}}, "m")
	if _, err := x.Read("a.ko.gz"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		file, text string
		want       error
	}{
		"no index":      {"other", "", fs.ErrNotExist},
		"no colon":      {"modules.dep", "a.ko\n", ErrFormat},
		"path outside":  {"modules.dep", "../a.ko:\n", ErrFormat},
		"absolute path": {"modules.dep", "/lib/a.ko:\n", ErrFormat},
		"dep outside":   {"modules.dep", "a.ko: b/../../c.ko\n", ErrFormat},
		"no module":     {"modules.dep", "a.txt:\n", ErrFormat},
		"no name":       {"modules.dep", "a/.ko:\n", ErrFormat},
		"short alias":   {"modules.alias", "alias a\n", ErrFormat},
		"other word":    {"modules.softdep", "install a b\n", ErrFormat},
		"long line":     {"modules.dep", "a.ko: " + strings.Repeat(" ", maxLine) + "\n", ErrTooLarge},
	} {
		fsys := fstest.MapFS{"m/modules.dep": {Data: []byte("a.ko:\n")}}
		if tc.file == "other" {
			delete(fsys, "m/modules.dep")
		}
		fsys["m/"+tc.file] = &fstest.MapFile{Data: []byte(tc.text)}
		if _, err := Open(fsys, "m"); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	// A dependency that the index does not list is found by Closure.
	x, err := Open(fstest.MapFS{"m/modules.dep": {Data: []byte("a.ko: b.ko\n")}}, "m")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Closure("a"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}

// TestScanPrefersUpdates follows depmod's default search order.
func TestScanPrefersUpdates(t *testing.T) {
	x := mustScan(t, kmodtest.Tree(release, nil,
		kmodtest.Spec{Path: "kernel/a.ko"}, kmodtest.Spec{Path: "updates/a.ko"}, kmodtest.Spec{Path: "zz/a.ko"}))
	if got, err := x.Closure("a"); err != nil || !slices.Equal(got, []string{"updates/a.ko"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestPlainPath(t *testing.T) {
	for in, want := range map[string]string{"a/b.ko": "a/b.ko", "a/b.ko.xz": "a/b.ko", "b.ko.zst": "b.ko"} {
		if got := PlainPath(in); got != want {
			t.Errorf("PlainPath(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestInsertRefused has the kernel refuse a module, as any user or as root.
func TestInsertRefused(t *testing.T) {
	err := Insert(kmodtest.Module(kmodtest.Spec{Path: "slipway-test.ko"}, release), "a=1")
	if err == nil || !strings.Contains(err.Error(), `init_module(slipway_test, "a=1")`) {
		t.Errorf("got %v", err)
	}
}

func TestDeclined(t *testing.T) {
	for err, want := range map[error]bool{unix.EEXIST: true, unix.ENODEV: true, unix.ENOENT: false, unix.ENOEXEC: false, unix.EKEYREJECTED: false} {
		if got := declined(err); got != want {
			t.Errorf("%v: got %v, want %v", err, got, want)
		}
	}
}

// TestModinfoTool compares with modinfo(8).
func TestModinfoTool(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sum_generic.ko")
	image := tree()[dir+"/kernel/lib/sum_generic.ko"].Data
	if err := os.WriteFile(file, image, 0o644); err != nil {
		t.Fatal(err)
	}
	info, err := Modinfo(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	for field, got := range map[string]string{"license": info.License, "alias": info.Aliases[0], "name": info.Name} {
		out, err := exec.Command("/sbin/modinfo", "-F", field, file).Output()
		if err != nil {
			t.Fatalf("modinfo (Debian package kmod): %v", err)
		}
		if want := strings.TrimSpace(string(out)); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
}

func FuzzModinfo(f *testing.F) {
	f.Add(tree()[dir+"/kernel/net/top-one.ko"].Data)
	f.Add([]byte(elfMagic))
	f.Fuzz(func(t *testing.T, image []byte) {
		if _, err := Modinfo(bytes.NewReader(image)); err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v, which is no error of this package", err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add("a.ko: b.ko\nb.ko:\n", "alias x[a-b]* a\n", "softdep a pre: b post: x_\n")
	f.Fuzz(func(t *testing.T, dep, alias, softdep string) {
		x, err := Open(fstest.MapFS{
			"m/modules.dep": {Data: []byte(dep)}, "m/modules.alias": {Data: []byte(alias)}, "m/modules.softdep": {Data: []byte(softdep)},
		}, "m")
		if err != nil {
			return
		}
		paths, err := x.Closure(x.Names()...)
		if err != nil {
			return
		}
		if _, err := x.IndexFiles(paths); err != nil {
			t.Errorf("IndexFiles of everything: %v", err)
		}
	})
}
