package erofs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	reader "github.com/erofs/go-erofs"
)

// compare reads an image with an independent reader and compares it with the
// tree it was made from.
func compare(tb testing.TB, image []byte, root *Node) {
	tb.Helper()
	img, err := reader.Open(bytes.NewReader(image))
	if err != nil {
		tb.Fatal(err)
	}
	links := map[*Node]uint64{}
	count(root, links)
	inos := map[*Node]uint64{}
	c := comparison{tb, img.(reading), image, links, inos}
	c.node(".", root)
}

type reading interface {
	fs.ReadDirFS
	fs.ReadLinkFS
	fs.ReadFileFS
}

func count(n *Node, links map[*Node]uint64) {
	for _, c := range n.Children {
		if links[c]++; links[c] == 1 {
			count(c, links)
		}
	}
}

type comparison struct {
	tb    testing.TB
	img   reading
	image []byte
	links map[*Node]uint64
	inos  map[*Node]uint64
}

func (c *comparison) node(name string, n *Node) {
	c.tb.Helper()
	info, err := c.img.Lstat(name)
	if err != nil {
		c.tb.Fatalf("%s: %v", name, err)
	}
	st := info.Sys().(*reader.Stat)
	xattrs := map[string]string{}
	for k, v := range st.Xattrs {
		xattrs[strings.TrimSuffix(strings.Replace(k, "system.posix_acl_", "system.acl_", 1), ".")] = v
	}
	want := map[string]string{}
	for k, v := range n.Xattrs {
		want[strings.TrimSuffix(strings.Replace(k, "system.posix_acl_", "system.acl_", 1), ".")] = v
	}
	if !maps.Equal(xattrs, want) {
		c.tb.Fatalf("%s: attributes: expected %.200q, got %.200q", name, want, xattrs)
	}
	if old := c.inos[n]; old != 0 && old != uint64(st.Ino) {
		c.tb.Fatalf("%s: hard link: expected inode %d, got %d", name, old, st.Ino)
	}
	c.inos[n] = uint64(st.Ino)
	nlink := c.links[n]
	if n.IsDir() {
		nlink = 2
		for _, child := range n.Children {
			if child.IsDir() {
				nlink++
			}
		}
	}
	got := fmt.Sprint(st.UID, st.GID, st.Nlink, st.Rdev, info.ModTime().UnixNano(), info.Mode().Perm())
	expected := fmt.Sprint(n.UID, n.GID, nlink, n.Rdev.encode(), n.Mtime.UnixNano(), fs.FileMode(n.Mode&0o777))
	if got != expected {
		c.tb.Fatalf("%s: owner, links, device, time, mode: expected %s, got %s", name, expected, got)
	}
	c.contents(name, n, info)
}

func (c *comparison) contents(name string, n *Node, info fs.FileInfo) {
	c.tb.Helper()
	switch n.Type() {
	case Regular:
		got, err := c.img.ReadFile(name)
		back, err2 := io.ReadAll(n.Data.Open(bytes.NewReader(c.image)))
		if err != nil || err2 != nil || !bytes.Equal(got, back) || int64(len(got)) != n.Data.Size() {
			c.tb.Fatalf("%s: contents differ: %d and %d bytes, %v, %v", name, len(got), len(back), err, err2)
		}
	case Symlink:
		if got, err := c.img.ReadLink(name); err != nil || got != n.Target {
			c.tb.Fatalf("%s: expected link to %q, got %q, %v", name, n.Target, got, err)
		}
	case Directory:
		entries, err := c.img.ReadDir(name)
		if err != nil || len(entries) != len(n.Children) {
			c.tb.Fatalf("%s: expected %d entries, got %d, %v", name, len(n.Children), len(entries), err)
		}
		for _, e := range entries {
			child := n.Children[e.Name()]
			if child == nil {
				c.tb.Fatalf("%s: unexpected entry %q", name, e.Name())
			}
			c.node(path.Join(name, e.Name()), child)
		}
	default:
		if info.Mode().IsRegular() || info.IsDir() {
			c.tb.Fatalf("%s: expected a special file, got %v", name, info.Mode())
		}
	}
}

// fsck fails the test if the format's own checker finds fault.
func fsck(tb testing.TB, image []byte) {
	tb.Helper()
	if err := runFsck(tb, image); err != nil {
		tb.Fatal(err)
	}
}

// runFsck runs the format's own checker, which also reads all contents. It
// does not always say by its exit code what it found.
func runFsck(tb testing.TB, image []byte) error {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "image.erofs")
	if err := os.WriteFile(file, image, 0o600); err != nil {
		tb.Fatal(err)
	}
	out, err := exec.Command(tool(tb, "fsck.erofs"), "--extract", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), "<E>") {
		return fmt.Errorf("fsck.erofs: %v\n%s", err, out)
	}
	return nil
}

// tool finds a program of the package erofs-utils.
func tool(tb testing.TB, name string) string {
	tb.Helper()
	for _, dir := range []string{"", "/usr/sbin", "/usr/bin", "/sbin"} {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found
		}
	}
	tb.Fatalf("%s is missing: install the package erofs-utils", name)
	return ""
}
