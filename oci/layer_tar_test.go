package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/internal/erofs"
)

// item is one tar entry of a test's layer.
type item struct {
	tar.Header
	content string
}

func regular(name, content string) item {
	return item{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: time.Unix(1e9, 0)}, content}
}

func directory(name string) item {
	return item{tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, ""}
}

func symlink(name, target string) item {
	return item{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, ""}
}

func hardlink(name, target string) item {
	return item{tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}, ""}
}

func device(name string, kind byte, major, minor int64) item {
	return item{tar.Header{Typeflag: kind, Name: name, Mode: 0o600, Devmajor: major, Devminor: minor}, ""}
}

// with changes an item's header.
func (i item) with(change func(h *tar.Header)) item {
	change(&i.Header)
	return i
}

func (i item) xattrs(pairs ...string) item {
	i.PAXRecords = map[string]string{}
	for k := 0; k < len(pairs); k += 2 {
		i.PAXRecords[xattrRecord+pairs[k]] = pairs[k+1]
	}
	return i
}

func tarball(tb testing.TB, items ...item) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		if err := w.WriteHeader(&i.Header); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(i.content)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// scratch is a file as Target.
func scratch(tb testing.TB) *os.File {
	tb.Helper()
	f, err := os.Create(filepath.Join(tb.TempDir(), "root.erofs"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

// merge unpacks and merges layers, lowest first, without compression.
func merge(tb testing.TB, layers ...[]item) (treeFS, error) {
	tb.Helper()
	var tars [][]byte
	for _, items := range layers {
		tars = append(tars, tarball(tb, items...))
	}
	return mergeTars(tb, newLimits(), tars...)
}

func mergeTars(tb testing.TB, limits *limits, tars ...[]byte) (treeFS, error) {
	tb.Helper()
	target := scratch(tb)
	files := erofs.NewWriter(target, time.Time{})
	files.MaxSize = limits.image
	t := newTree(limits)
	for _, b := range tars {
		l, err := untar(context.Background(), bytes.NewReader(b), files, limits)
		if err == nil {
			err = t.apply(l)
		}
		if err != nil {
			return treeFS{}, err
		}
	}
	return treeFS{t, target}, nil
}

// listing describes a tree in one line: directories end with a slash, links
// show their targets, files their contents.
func listing(tb testing.TB, root treeFS) string {
	tb.Helper()
	var list []string
	var walk func(path string, dir *erofs.Node)
	walk = func(path string, dir *erofs.Node) {
		for _, name := range slices.Sorted(maps.Keys(dir.Children)) {
			node, path := dir.Children[name], path+name
			switch node.Type() {
			case erofs.Directory:
				list = append(list, path+"/")
				walk(path+"/", node)
			case erofs.Symlink:
				list = append(list, path+"->"+node.Target)
			case erofs.Regular:
				b := make([]byte, node.Data.Size())
				if _, err := node.Data.Open(root.image).ReadAt(b, 0); err != nil && len(b) > 0 {
					tb.Fatal(err)
				}
				list = append(list, path+"="+string(b))
			default:
				list = append(list, path+"!")
			}
		}
	}
	walk("", root.tree.root)
	return strings.Join(list, " ")
}

// at returns a node that must be there.
func (t treeFS) at(tb testing.TB, path string) *erofs.Node {
	tb.Helper()
	node, err := t.tree.walk(path, walkMode{})
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return node
}

// readAll reads a file by its name.
func readAll(tb testing.TB, fsys fs.FS, name string) string {
	tb.Helper()
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
