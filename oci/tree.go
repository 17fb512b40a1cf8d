package oci

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/internal/erofs"
)

const (
	maxHops  = 40   // symbolic links followed in one path, as in Linux
	maxDepth = 2048 // directories below one another
)

var (
	errNotDir = errors.New("not a directory")
	errHops   = errors.New("too many symbolic links")
	errDepth  = errors.New("too many directories below one another")
)

// tree is a root file system in memory. Paths are resolved inside it, as a
// process with this root would see them: absolute links start at the tree's
// root, and ".." stops there.
type tree struct {
	root   *erofs.Node
	memory *allowance // for directories that no layer describes
}

func newTree(limits *limits) *tree { return &tree{newDir(), limits.memory} }

// newDir is a directory that no layer describes.
func newDir() *erofs.Node {
	return &erofs.Node{Mode: erofs.Directory | 0o755, Mtime: time.Unix(0, 0), Children: map[string]*erofs.Node{}}
}

// How walk treats what it meets.
type walkMode struct {
	follow bool // a link at the path's end
	create bool // missing directories
}

// walk returns the node at path. It fails with fs.ErrNotExist, errNotDir,
// errHops, errDepth or, when it creates, ErrTooLarge.
func (t *tree) walk(path string, mode walkMode) (*erofs.Node, error) {
	todo := strings.Split(path, "/")
	dirs := []*erofs.Node{t.root}
	for hops := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			dirs = dirs[:max(len(dirs)-1, 1)]
			continue
		}
		child, err := t.step(dirs[len(dirs)-1], name, mode.create)
		if err != nil {
			return nil, err
		}
		switch kind := child.Type(); {
		case kind == erofs.Directory:
			if dirs = append(dirs, child); len(dirs) > maxDepth {
				return nil, errDepth
			}
		case kind == erofs.Symlink && (len(todo) > 0 || mode.follow):
			if hops++; hops > maxHops {
				return nil, errHops
			}
			if strings.HasPrefix(child.Target, "/") {
				dirs = dirs[:1]
			}
			todo = append(strings.Split(child.Target, "/"), todo...)
		case len(todo) > 0:
			return nil, errNotDir
		default:
			return child, nil
		}
	}
	return dirs[len(dirs)-1], nil
}

// step returns the entry of a directory, if need be as a new directory.
func (t *tree) step(dir *erofs.Node, name string, create bool) (*erofs.Node, error) {
	child := dir.Children[name]
	if child == nil {
		if !create {
			return nil, fs.ErrNotExist
		}
		if err := t.memory.take(entryCost); err != nil {
			return nil, err
		}
		child = newDir()
		dir.Children[name] = child
	}
	return child, nil
}

// apply merges a layer over what is there. Its whiteouts concern only the
// layers below, wherever in the layer they stand; its entries then count in
// their order.
//
// Links in an entry's parent directories are followed inside the tree, so
// that "lib/x" lands in usr/lib where lib leads there; missing parents are
// made. The last name is never followed.
func (t *tree) apply(l *layerTree) error {
	for _, w := range l.whiteouts {
		t.remove(w)
	}
	for _, e := range l.entries {
		if err := t.put(e); err != nil {
			return fmt.Errorf("%w: %q: %w", ErrLayer, clip(e.path), err)
		}
	}
	return nil
}

// remove does what a whiteout says. One without a target is no error: the
// layers below may have lost it already.
func (t *tree) remove(w whiteout) {
	if w.opaque {
		if dir, err := t.walk(w.path, walkMode{follow: true}); err == nil && dir.IsDir() {
			clear(dir.Children)
		}
		return
	}
	parent, base := splitPath(w.path)
	if dir, err := t.walk(parent, walkMode{follow: true}); err == nil && dir.IsDir() {
		delete(dir.Children, base)
	}
}

// put adds an entry, in place of what has its name. A directory in place of
// a directory keeps its children.
func (t *tree) put(e entry) error {
	node, err := t.nodeOf(e)
	if err != nil {
		return err
	}
	parent, base := splitPath(e.path)
	dir, err := t.walk(parent, walkMode{follow: true, create: true})
	if err == nil && !dir.IsDir() {
		err = errNotDir
	}
	if err != nil {
		return fmt.Errorf("parent directory: %w", err)
	}
	old := dir.Children[base]
	if base == "" {
		old = t.root
	}
	if node.IsDir() {
		node.Children = map[string]*erofs.Node{}
		if old != nil && old.IsDir() {
			node.Children = old.Children
		}
	}
	switch {
	case base != "":
		dir.Children[base] = node
	case node.IsDir():
		t.root = node
	default:
		return fmt.Errorf("root: %w", errNotDir)
	}
	return nil
}

// nodeOf returns an entry's inode: for a hard link, that of its target in the
// state merged so far.
func (t *tree) nodeOf(e entry) (*erofs.Node, error) {
	if e.node != nil {
		return e.node, nil
	}
	node, err := t.walk(e.link, walkMode{})
	if err == nil && node.IsDir() {
		err = errors.New("is a directory")
	}
	if err != nil {
		return nil, fmt.Errorf("hard link to %q: %w", clip(e.link), err)
	}
	return node, nil
}
