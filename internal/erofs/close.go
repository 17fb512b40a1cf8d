package erofs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Close writes everything but file data: the inodes of the tree below root,
// and the superblock. It returns the size of the image. It returns ErrNode if
// the tree cannot be represented and ErrTooLarge if there is no room. The
// Data of the tree's nodes is readable through the image afterwards.
func (w *Writer) Close(root *Node) (size int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, errors.New("erofs: close: writer is closed")
	}
	w.closed = true
	inodes, err := collect(root)
	if err != nil {
		return 0, fmt.Errorf("erofs: close: %w", err)
	}
	places := newArena()
	for _, i := range inodes {
		if err := w.plan(i); err != nil {
			return 0, fmt.Errorf("erofs: close: %w", err)
		}
		i.at = places.place(i.core(), i.inline)
	}
	area, err := w.reserve(places.end)
	if err != nil {
		return 0, fmt.Errorf("erofs: close: inodes: %w", err)
	}
	if err := w.writeTree(inodes, area, places.end); err != nil {
		return 0, fmt.Errorf("erofs: close: %w", err)
	}
	if err := w.writeSuper(inodes[0], len(inodes), area); err != nil {
		return 0, fmt.Errorf("erofs: close: superblock: %w", err)
	}
	return w.next, nil
}

// collect lists each node of the tree once, breadth first so that siblings lie
// side by side, and counts the names that lead to it.
func collect(root *Node) ([]*inode, error) {
	if root == nil || !root.IsDir() {
		return nil, fmt.Errorf("%w: root: expected a directory", ErrNode)
	}
	top := &inode{Node: root, links: 1} // its ".." leads to itself
	top.parent = top
	seen := map[*Node]*inode{root: top}
	list := []*inode{top}
	for k := 0; k < len(list); k++ {
		i := list[k]
		if err := i.check(); err != nil {
			return nil, err
		}
		if !i.IsDir() {
			continue
		}
		children, err := i.sortedChildren(seen)
		if err != nil {
			return nil, err
		}
		for _, child := range children {
			if child.links++; child.links == 1 {
				list = append(list, child)
			}
		}
	}
	return list, nil
}

// sortedChildren fills a directory's entries and returns the inodes they name,
// without "." and "..".
func (i *inode) sortedChildren(seen map[*Node]*inode) ([]*inode, error) {
	i.entries = append(make([]dirent, 0, len(i.Children)+2), dirent{".", i}, dirent{"..", i.parent})
	i.links++ // "."
	for name, node := range i.Children {
		child, err := enter(seen, name, node)
		if err != nil {
			return nil, err
		}
		if child.IsDir() {
			child.parent = i
			i.links++ // the child's ".."
		}
		i.entries = append(i.entries, dirent{name, child})
	}
	slices.SortFunc(i.entries, func(a, b dirent) int { return cmp.Compare(a.name, b.name) })
	children := make([]*inode, 0, len(i.Children))
	for _, e := range i.entries {
		if e.name != "." && e.name != ".." {
			children = append(children, e.node)
		}
	}
	return children, nil
}

// enter returns the inode of a child, the same one for each hard link to it.
func enter(seen map[*Node]*inode, name string, node *Node) (*inode, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if node == nil {
		return nil, fmt.Errorf("%w: %q is nil", ErrNode, name)
	}
	if i := seen[node]; i != nil {
		if node.IsDir() {
			return nil, fmt.Errorf("%w: directory %q is reached twice", ErrNode, name)
		}
		return i, nil
	}
	i := &inode{Node: node}
	seen[node] = i
	return i, nil
}

// plan decides sizes, and which contents follow the inode. It takes blocks
// for those of directories, links and orphaned tails that do not.
func (w *Writer) plan(i *inode) (err error) {
	if i.xattrs, err = xattrSize(i.Node); err != nil {
		return err
	}
	switch i.Type() {
	case Regular:
		i.size, i.start, i.inline = i.Data.size, i.Data.start, i.Data.inline
		if i.full() > 0 || i.core()+i.inline <= blockSize {
			return nil
		}
		i.inline = 0 // attributes leave no room: the tail gets a block
	case Symlink:
		i.size = int64(len(i.Target))
		i.inline = i.size
	case Directory:
		blocks := dirBlocks(i.entries)
		i.inline = dirSize(blocks[len(blocks)-1])
		i.size = int64(len(blocks)-1)*blockSize + i.inline
	default:
		return nil
	}
	if i.core()+i.inline > blockSize {
		i.inline = 0
	}
	i.start, err = w.reserve(i.full())
	return err
}
