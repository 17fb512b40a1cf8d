package erofs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	reader "github.com/erofs/go-erofs"
)

// TestSameAsMkfs makes one image with mkfs.erofs and one with this package
// from the same directory and compares everything a reader sees, inode
// numbers and placement aside.
func TestSameAsMkfs(t *testing.T) {
	src := t.TempDir()
	plant(t, src)
	file := filepath.Join(t.TempDir(), "peer.erofs")
	if out, err := exec.Command(tool(t, "mkfs.erofs"), file, src).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.erofs: %v\n%s", err, out)
	}
	peer, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b := newBuilder(t)
	b.close(b.load(src, map[uint64]*Node{}))
	want, got := describe(t, peer), describe(t, b.mem.b)
	if !slices.Equal(want, got) {
		for k := range min(len(want), len(got)) {
			if want[k] != got[k] {
				t.Errorf("mkfs.erofs: %s\n      ours: %s", want[k], got[k])
			}
		}
		t.Fatalf("expected %d inodes as mkfs.erofs makes, got %d", len(want), len(got))
	}
}

// plant makes a tree of what an ordinary user can make.
func plant(t *testing.T, root string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(root, name) }
	must(os.MkdirAll(at("usr/lib/big"), 0o755))
	must(os.Mkdir(at("private"), 0o700))
	must(os.Chmod(at("private"), 0o1770|fs.ModeSticky))
	for k, size := range []int{0, 1, 100, 2048, 2049, 4095, 4096, 4097, 10000, 300000} {
		must(os.WriteFile(at(fmt.Sprintf("usr/f%d", size)), pattern(size, byte(k)), 0o644))
	}
	for k := range 500 {
		must(os.WriteFile(at(fmt.Sprintf("usr/lib/big/%s%d", strings.Repeat("x", k%100), k)), nil, 0o600))
	}
	must(os.Chmod(at("usr/f100"), 0o755|fs.ModeSetuid))
	must(os.Link(at("usr/f100"), at("private/hard")))
	must(os.Symlink("../f100", at("usr/lib/link")))
	must(os.Symlink(strings.Repeat("/long", 800), at("usr/lib/longlink")))
	must(syscall.Mkfifo(at("fifo"), 0o640))
	for name, size := range map[string]int{"user.small": 10, "user.large": 1500} {
		if err := syscall.Setxattr(at("usr/f2048"), name, pattern(size, 5), 0); err != nil {
			t.Fatalf("%s: set %s: %v: set TMPDIR to a file system with user attributes", root, name, err)
		}
	}
	must(os.Chtimes(at("usr/f1"), time.Time{}, time.Unix(1234567890, 123456789)))
	must(os.Chtimes(at("usr/lib"), time.Time{}, time.Unix(99, 1)))
}

// load is the tree below a path, with contents already written.
func (b *builder) load(path string, links map[uint64]*Node) *Node {
	b.tb.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		b.tb.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if n := links[st.Ino]; n != nil {
		return n
	}
	n := &Node{Mode: uint16(st.Mode), UID: st.Uid, GID: st.Gid, Mtime: info.ModTime(), Xattrs: xattrs(b.tb, path, info)}
	links[st.Ino] = n
	switch n.Type() {
	case Directory:
		n.Children = map[string]*Node{}
		entries, err := os.ReadDir(path)
		if err != nil {
			b.tb.Fatal(err)
		}
		for _, e := range entries {
			n.Children[e.Name()] = b.load(filepath.Join(path, e.Name()), links)
		}
	case Symlink:
		n.Target, err = os.Readlink(path)
	case Regular:
		var content []byte
		content, err = os.ReadFile(path)
		n.Data, _ = b.File(bytes.NewReader(content), int64(len(content)))
	}
	if err != nil {
		b.tb.Fatal(err)
	}
	return n
}

// xattrs reads the user attributes of a regular file.
func xattrs(tb testing.TB, path string, info fs.FileInfo) map[string]string {
	tb.Helper()
	if !info.Mode().IsRegular() {
		return nil
	}
	var names, value [65536]byte
	n, err := syscall.Listxattr(path, names[:])
	if err != nil {
		tb.Fatal(err)
	}
	m := map[string]string{}
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		if name == "" {
			continue
		}
		k, err := syscall.Getxattr(path, name, value[:])
		if err != nil {
			tb.Fatal(err)
		}
		m[name] = string(value[:k])
	}
	return m
}

// describe lists every inode of an image as a line of text, hard links by the
// first name of their group.
func describe(t *testing.T, image []byte) (lines []string) {
	t.Helper()
	img, err := reader.Open(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	first := map[int64]string{}
	err = fs.WalkDir(img, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*reader.Stat)
		if first[st.Ino] == "" {
			first[st.Ino] = path
		}
		var content string
		switch {
		case info.Mode().IsRegular():
			b, err := fs.ReadFile(img, path)
			if err != nil {
				return err
			}
			content = string(b)
		case info.Mode().Type() == fs.ModeSymlink:
			if content, err = fs.ReadLink(img, path); err != nil {
				return err
			}
		}
		lines = append(lines, fmt.Sprintf("%s = %s %v %d:%d links %d dev %d mtime %d.%09d size %d %q %x", path, first[st.Ino],
			info.Mode(), st.UID, st.GID, st.Nlink, st.Rdev, st.Mtime, st.MtimeNs, len(content), st.Xattrs, sha256.Sum256([]byte(content))))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
