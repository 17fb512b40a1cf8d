package lab

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

const (
	maxEntries   = 200_000 // of a root file system
	maxDpkgList  = 8 << 20 // bytes of one package's file list
	capXattr     = xattrRecord + "security.capability"
	dpkgInfo     = "var/lib/dpkg/info/"
	dpkgListExt  = ".list"
	mergedPrefix = "usr/" // Debian's /bin, /sbin, /lib and /lib64 are links into /usr
)

// rootIndex is what one reading of a root's tar tells about its entries.
type rootIndex struct {
	owner map[string]string      // path to the package it belongs to
	dirs  map[string]*tar.Header // directories by path
	links map[string]string      // hard links to their targets
}

// indexRoot reads dpkg's file lists and the tree's shape out of a root's tar.
func indexRoot(r io.Reader) (*rootIndex, error) {
	x := &rootIndex{owner: map[string]string{}, dirs: map[string]*tar.Header{}, links: map[string]string{}}
	err := eachEntry(r, func(name string, h *tar.Header, body io.Reader) error {
		switch {
		case h.Typeflag == tar.TypeDir:
			x.dirs[name] = h
		case h.Typeflag == tar.TypeLink:
			x.links[name] = cleanName(h.Linkname)
		case strings.HasPrefix(name, dpkgInfo) && strings.HasSuffix(name, dpkgListExt):
			list, err := io.ReadAll(io.LimitReader(body, maxDpkgList))
			if err != nil {
				return err
			}
			pkg, _, _ := strings.Cut(strings.TrimSuffix(path.Base(name), dpkgListExt), ":")
			x.addOwner(pkg, string(list))
		}
		return nil
	})
	return x, err
}

// addOwner notes the paths of one of dpkg's file lists. A directory that
// several packages have belongs to the first.
func (x *rootIndex) addOwner(pkg, list string) {
	for line := range strings.Lines(list) {
		name := cleanName(strings.TrimSpace(line))
		top, _, _ := strings.Cut(name, "/")
		switch top {
		case "bin", "sbin", "lib", "lib64":
			name = mergedPrefix + name
		}
		if _, ok := x.owner[name]; !ok {
			x.owner[name] = pkg
		}
	}
}

// splitRoot distributes the entries of a root's tar over layers. place names
// the layer of a path that a package owns ("" if none does), or -1 to leave
// the entry out. Parents are repeated in every layer that needs them, hard
// links stay in the layer of their target, device nodes are dropped, and only
// security.capability is kept of the extended attributes: the others depend
// on the file system the root was built on.
func splitRoot(r io.Reader, x *rootIndex, layers []*layerWriter, place func(name, owner string) int) error {
	return eachEntry(r, func(name string, h *tar.Header, body io.Reader) error {
		at := name
		if h.Typeflag == tar.TypeLink {
			at = x.links[name]
		}
		n := place(at, x.owner[at])
		if n < 0 || h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock || h.Typeflag == tar.TypeFifo {
			return nil
		}
		layer := layers[n]
		for _, dir := range parents(name) {
			if d, ok := x.dirs[dir]; ok && !layer.seen[dir] {
				layer.seen[dir] = true
				layer.write(tidyHeader(dir, d), nil)
			}
		}
		if h.Typeflag == tar.TypeDir {
			if layer.seen[name] {
				return nil
			}
			layer.seen[name] = true
		}
		layer.write(tidyHeader(name, h), body)
		return layer.err
	})
}

// parents lists the directories above a path, topmost first.
func parents(name string) []string {
	var all []string
	for i, c := range name {
		if c == '/' {
			all = append(all, name[:i])
		}
	}
	return all
}

// tidyHeader keeps of a header what belongs into a layer.
func tidyHeader(name string, h *tar.Header) *tar.Header {
	t := &tar.Header{Typeflag: h.Typeflag, Name: name, Linkname: h.Linkname, Size: h.Size, Mode: h.Mode,
		Uid: h.Uid, Gid: h.Gid, ModTime: h.ModTime.Truncate(time.Second), Format: tar.FormatPAX}
	if t.Typeflag == tar.TypeDir {
		t.Name += "/"
	}
	if t.Typeflag == tar.TypeLink {
		t.Linkname = cleanName(h.Linkname)
	}
	if v, ok := h.PAXRecords[capXattr]; ok {
		t.PAXRecords = map[string]string{capXattr: v}
	}
	return t
}

// cleanName is a tar name relative to the root and without trailing slash;
// the root itself is ".".
func cleanName(name string) string {
	name = path.Clean("/" + name)
	if name == "/" {
		return "."
	}
	return name[1:]
}

// eachEntry calls f for all entries but the root directory's own.
func eachEntry(r io.Reader, f func(name string, h *tar.Header, body io.Reader) error) error {
	t := tar.NewReader(r)
	for range maxEntries {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("root: %w", err)
		}
		name := cleanName(h.Name)
		if name == "." {
			continue
		}
		if err := f(name, h, t); err != nil {
			return fmt.Errorf("root: %s: %w", name, err)
		}
	}
	return fmt.Errorf("root: expected at most %d entries", maxEntries)
}
