package oci

import (
	"fmt"
	"maps"

	"github.com/slipway-boot/slipway/internal/erofs"
)

// emptied are the directories whose contents do not belong into a booted root.
// boot and sysroot hold what was needed to get here; the others are mounted
// over.
var emptied = []string{"boot", "dev", "proc", "run", "sys", "sysroot"}

// apiDirs are the directories that a root must have.
var apiDirs = []struct {
	name string
	perm uint16
}{
	{"boot", 0o755}, {"dev", 0o755}, {"proc", 0o555}, {"run", 0o755}, {"sys", 0o555},
	{"sysroot", 0o755}, {"tmp", 0o1777}, {"var", 0o755},
}

// buildLeftovers are empty files that container engines mount over.
var buildLeftovers = []string{"etc/hostname", "etc/resolv.conf"}

// prepareRoot turns the merged layers into the root that boots, as bootc
// does. Hard links into emptied directories stay: they are resolved by now.
func prepareRoot(t *tree) error {
	usr := t.root.Children["usr"]
	if usr == nil || !usr.IsDir() {
		return fmt.Errorf("%w: usr: expected a directory", ErrNotBootable)
	}
	// The root's own metadata depends on how the image was built.
	t.root.Mode, t.root.UID, t.root.GID, t.root.Mtime = usr.Mode, usr.UID, usr.GID, usr.Mtime
	t.root.Xattrs = maps.Clone(usr.Xattrs)

	for _, d := range apiDirs {
		if err := ensureDir(t.root, d.name, d.perm, usr); err != nil {
			return err
		}
	}
	for _, name := range emptied {
		dir := t.root.Children[name]
		clear(dir.Children)
		dir.Mtime = usr.Mtime
	}
	for _, path := range buildLeftovers {
		parent, base := splitPath(path)
		dir := t.root.Children[parent]
		if dir == nil || dir.Children[base] == nil {
			continue
		}
		if n := dir.Children[base]; n.Type() == erofs.Regular && n.Data.Size() == 0 {
			delete(dir.Children, base)
		}
	}
	return nil
}

// ensureDir makes a directory of the root that is missing. A link in its place
// is how ostree images have tmp: its target is among the emptied.
func ensureDir(root *erofs.Node, name string, perm uint16, usr *erofs.Node) error {
	dir := root.Children[name]
	switch {
	case dir == nil, dir.Type() == erofs.Symlink && name != "var":
		dir = newDir()
		dir.Mode, dir.Mtime = erofs.Directory|perm, usr.Mtime
		root.Children[name] = dir
	case !dir.IsDir():
		return fmt.Errorf("%w: %s: expected a directory", ErrNotBootable, name)
	}
	return nil
}
