package oci

import (
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/slipway-boot/slipway/internal/erofs"
)

// treeFS reads a tree as an fs.FS. Links are followed inside the tree.
type treeFS struct {
	tree  *tree
	image io.ReaderAt // where file contents are
}

var (
	_ fs.ReadLinkFS = treeFS{}
	_ fs.StatFS     = treeFS{}
)

// find resolves a name for an operation.
func (t treeFS) find(op, name string, follow bool) (*erofs.Node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	node, err := t.tree.walk(name, walkMode{follow: follow})
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return node, nil
}

// Open opens a file or directory, behind links.
func (t treeFS) Open(name string) (fs.File, error) {
	node, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	info := newFileInfo(name, node)
	switch node.Type() {
	case erofs.Directory:
		return &openDir{info: info, left: dirEntries(node)}, nil
	case erofs.Regular:
		return &openFile{info, node.Data.Open(t.image)}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
}

// Stat describes what name leads to.
func (t treeFS) Stat(name string) (fs.FileInfo, error) {
	node, err := t.find("stat", name, true)
	if err != nil {
		return nil, err
	}
	return newFileInfo(name, node), nil
}

// Lstat describes name itself.
func (t treeFS) Lstat(name string) (fs.FileInfo, error) {
	node, err := t.find("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return newFileInfo(name, node), nil
}

// ReadLink returns the target of a symbolic link.
func (t treeFS) ReadLink(name string) (string, error) {
	node, err := t.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if node.Type() != erofs.Symlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return node.Target, nil
}

// dirEntries lists a directory in the order of its names.
func dirEntries(dir *erofs.Node) []fs.DirEntry {
	list := make([]fs.DirEntry, 0, len(dir.Children))
	for _, name := range slices.Sorted(maps.Keys(dir.Children)) {
		list = append(list, fs.FileInfoToDirEntry(newFileInfo(name, dir.Children[name])))
	}
	return list
}

// openFile is a regular file.
type openFile struct {
	info fileInfo
	*io.SectionReader
}

// Stat describes the file.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close does nothing: there is nothing to release.
func (f *openFile) Close() error { return nil }

// openDir is a directory being listed.
type openDir struct {
	info fileInfo
	left []fs.DirEntry
}

// Stat describes the directory.
func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }

// Close does nothing: there is nothing to release.
func (d *openDir) Close() error { return nil }

// Read fails: directories have no bytes.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: fs.ErrInvalid}
}

// ReadDir is fs.ReadDirFile's.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.left)
	} else if len(d.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.left))
	list := d.left[:n:n]
	d.left = d.left[n:]
	return list, nil
}

// fileInfo describes a node.
type fileInfo struct {
	name string
	node *erofs.Node
}

func newFileInfo(path string, node *erofs.Node) fileInfo {
	_, base := splitPath(path)
	return fileInfo{base, node}
}

// modeTypes are the types of nodes in Go's terms.
var modeTypes = map[uint16]fs.FileMode{
	erofs.Directory: fs.ModeDir, erofs.Symlink: fs.ModeSymlink, erofs.FIFO: fs.ModeNamedPipe,
	erofs.CharDevice: fs.ModeDevice | fs.ModeCharDevice, erofs.BlockDevice: fs.ModeDevice, erofs.Socket: fs.ModeSocket,
}

// Name returns the last part of the path.
func (i fileInfo) Name() string { return i.name }

// ModTime returns the time of the last change.
func (i fileInfo) ModTime() time.Time { return i.node.Mtime }

// IsDir says whether it is a directory.
func (i fileInfo) IsDir() bool { return i.node.IsDir() }

// Sys returns nil.
func (i fileInfo) Sys() any { return nil }

// Size returns the length of a file's contents or of a link's target.
func (i fileInfo) Size() int64 {
	if i.node.Type() == erofs.Symlink {
		return int64(len(i.node.Target))
	}
	return i.node.Data.Size()
}

// Mode returns type and permissions.
func (i fileInfo) Mode() fs.FileMode {
	m := fs.FileMode(i.node.Mode&0o777) | modeTypes[i.node.Type()]
	for bit, goBit := range map[uint16]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if i.node.Mode&bit != 0 {
			m |= goBit
		}
	}
	return m
}

// section returns the contents of a regular file.
func (t treeFS) section(name string) (*io.SectionReader, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	file, ok := f.(*openFile)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return file.SectionReader, nil
}
