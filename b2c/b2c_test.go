package b2c

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree makes a root with the given files; a value that starts with "->" is a
// link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "->"); ok {
			err = os.Symlink(target, name)
		} else {
			err = os.WriteFile(name, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFindInit(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"plain", map[string]string{"sbin/init": "x"}, "/sbin/init"},
		{"absolute link", map[string]string{"sbin/init": "->/usr/lib/systemd/systemd", "usr/lib/systemd/systemd": "x"}, "/sbin/init"},
		{"relative link", map[string]string{"sbin/init": "->../lib/systemd", "lib/systemd": "x"}, "/sbin/init"},
		{"systemd alone", map[string]string{"usr/lib/systemd/systemd": "x"}, "/usr/lib/systemd/systemd"},
		{"link out of the root", map[string]string{"sbin/init": "->/../../../../bin/sh", "bin/init": "x"}, "/bin/init"},
		{"loop", map[string]string{"sbin/init": "->init", "bin/init": "x"}, "/bin/init"},
		{"directory", map[string]string{"sbin/init/x": "x", "bin/init": "x"}, "/bin/init"},
	} {
		got, err := findInit(tree(t, c.files))
		if err != nil || got != c.want {
			t.Errorf("%s: expected %s, got %s, %v", c.name, c.want, got, err)
		}
	}
	if _, err := findInit(t.TempDir()); err == nil {
		t.Error("an empty root has an init")
	}
}

func TestCopyTree(t *testing.T) {
	from := tree(t, map[string]string{"lib/a": "text", "lib/empty": "", "lib/link": "->a", "log/x/y": "deep"})
	stamp := time.Unix(1000000000, 123456789)
	for name, mode := range map[string]os.FileMode{"lib/a": 0o640, "log/x": 0o2755 &^ 0o2000, "lib/empty": 0o600} {
		if err := os.Chmod(filepath.Join(from, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Setxattr(filepath.Join(from, "lib/a"), "user.note", []byte("kept"), 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(from, "lib/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lib/a", "log/x"} {
		if err := os.Chtimes(filepath.Join(from, name), stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	to := t.TempDir()
	if err := copyTree(from, to); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lib/a", "lib/empty", "lib/link", "lib/pipe", "log/x", "log/x/y"} {
		want, err := os.Lstat(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.Lstat(filepath.Join(to, name))
		if err != nil || got.Mode() != want.Mode() || got.Size() != want.Size() {
			t.Errorf("%s: expected %v, got %v, %v", name, want, got, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(to, "lib/link")); err != nil || string(got) != "text" {
		t.Errorf("through the link: got %q, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(to, "log/x")); err != nil || !info.ModTime().Equal(stamp) {
		t.Errorf("time of a directory: expected %v, got %v", stamp, info.ModTime())
	}
	note := make([]byte, 16)
	if n, err := unix.Getxattr(filepath.Join(to, "lib/a"), "user.note", note); err != nil || string(note[:n]) != "kept" {
		t.Errorf("attribute: got %q, %v", note[:max(n, 0)], err)
	}
}

func TestReadHandoff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "handoff.json")
	if _, err := readHandoff(file); !errors.Is(err, errNoHandoff) {
		t.Errorf("missing: expected errNoHandoff, got %v", err)
	}
	for text, want := range map[string]string{
		`{"schema":2}`: "schema: expected 1, got 2",
		`{"schema":`:   "unexpected end",
		`{}`:           "schema: expected 1, got 0",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readHandoff(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, got %v", text, want, err)
		}
	}
	if err := os.WriteFile(file, []byte(`{"schema":1,"root":"direct","release":"6.12","modules":["00-erofs.ko"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if h, err := readHandoff(file); err != nil || h.Release != "6.12" || len(h.Modules) != 1 {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestCheckRoot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "root.erofs")
	if err := os.WriteFile(file, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	const sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if err := checkRoot(file, sum); err != nil {
		t.Error(err)
	}
	if err := checkRoot(file, strings.Repeat("0", 64)); err == nil || !strings.Contains(err.Error(), sum) {
		t.Errorf("expected the hash that was found, got %v", err)
	}
}
