package tiny

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWalk(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "a/b/file"), nil, 0o640))
	must(os.Chtimes(filepath.Join(dir, "a/b/file"), time.Time{}, time.Unix(-2, 5)))
	must(os.Link(filepath.Join(dir, "a/b/file"), filepath.Join(dir, "a-link")))
	must(os.Symlink("to\n\xff", filepath.Join(dir, "a/symlink")))
	list, err := inodes(dir)
	must(err)
	lines := WalkLines(list)
	want := []struct{ begins, has string }{
		{`"/" drwx`, " rdev 0"},
		{`"/a" drwx`, " rdev 0"},
		{`"/a-link" -rw-r-----`, " size 0 mtime -2.000000005 links 2 rdev 0 sha256 e3b0c442"},
		{`"/a/b" drwx`, " rdev 0"},
		{`"/a/b/file" -rw-r-----`, ` mtime -2.000000005 links 2 rdev 0 same as "/a-link" sha256 e3b0c442`},
		{`"/a/symlink" Lrwxrwxrwx`, ` links 1 rdev 0 target "to\n\xff"`},
	}
	if len(lines) != len(want) {
		t.Fatalf("expected %d lines, got %q", len(want), lines)
	}
	for i, w := range want {
		if !strings.HasPrefix(lines[i], w.begins) || !strings.Contains(lines[i], w.has) {
			t.Errorf("expected a line with %s and %s, got %s", w.begins, w.has, lines[i])
		}
	}
}

func TestWalkLinesXattrs(t *testing.T) {
	got := WalkLines([]Inode{{Path: "/", Xattrs: map[string]string{"b": "\x01\xff", "a": strings.Repeat("x", maxHex+1)}}})
	if len(got) != 1 || !strings.Contains(got[0], `"a"=(65 bytes, sha256 `) || !strings.HasSuffix(got[0], ` "b"=01ff`) {
		t.Errorf("unexpected lines %q", got)
	}
}
