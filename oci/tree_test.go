package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestMerge is section 8's table of layer facts, and what else layers do.
func TestMerge(t *testing.T) {
	d := func(names ...string) (items []item) {
		for _, n := range names {
			items = append(items, directory(n))
		}
		return items
	}
	f := func(names ...string) (items []item) {
		for _, n := range names {
			items = append(items, regular(n, "1"))
		}
		return items
	}
	for name, test := range map[string]struct {
		layers [][]item
		want   string
	}{
		"fact 13: kernel replaced": {[][]item{
			f("usr/lib/modules/5.10.18-200.x86_64/vmlinuz"),
			f("usr/lib/modules/.wh.5.10.18-200.x86_64", "usr/lib/modules/5.12.7-42.x86_64/vmlinuz"),
		}, "usr/ usr/lib/ usr/lib/modules/ usr/lib/modules/5.12.7-42.x86_64/ usr/lib/modules/5.12.7-42.x86_64/vmlinuz=1"},
		"fact 24: whiteout of a file":    {[][]item{f("etc/hosts", "etc/passwd"), f("etc/.wh.hosts")}, "etc/ etc/passwd=1"},
		"fact 25: whiteout of nothing":   {[][]item{f("etc/a"), f("etc/.wh.nosuchfile", "none/such/.wh.dir", "etc/a/.wh.b")}, "etc/ etc/a=1"},
		"fact 26: whiteout of a subtree": {[][]item{f("usr/local/bin/x", "usr/bin/y"), f("usr/.wh.local")}, "usr/ usr/bin/ usr/bin/y=1"},
		"fact 27: opaque directory": {[][]item{f("etc/a", "etc/sub/b"), append(f("etc/new"), append(f("etc/.wh..wh..opq"), f("etc/sub2/c")...)...)},
			"etc/ etc/new=1 etc/sub2/ etc/sub2/c=1"},
		"fact 27: opaque, nothing new":          {[][]item{f("etc/a", "etc/sub/b"), f("etc/.wh..wh..opq")}, "etc/"},
		"opaque root":                           {[][]item{f("a", "b/c"), f("d", ".wh..wh..opq")}, "d=1"},
		"fact 28: whiteout, then added":         {[][]item{f("a/b"), append(f(".wh.a"), regular("a", "2"))}, "a=2"},
		"fact 28: added, then whiteout":         {[][]item{f("a/b"), append([]item{regular("a", "2")}, f(".wh.a")...)}, "a=2"},
		"fact 30: derived layer's object links": {[][]item{append(f("sysroot/ostree/repo/objects/60/feb1.file"), hardlink("usr/bin/bash", "sysroot/ostree/repo/objects/60/feb1.file")), {regular("sysroot/ostree/repo/objects/60/feb1.file", "hello"), hardlink("usr/bin/bash", "/sysroot/ostree/repo/objects/60/feb1.file"), hardlink("usr/bin/bash-hardlinked", "usr/bin/bash")}}, "sysroot/ sysroot/ostree/ sysroot/ostree/repo/ sysroot/ostree/repo/objects/ sysroot/ostree/repo/objects/60/ sysroot/ostree/repo/objects/60/feb1.file=hello usr/ usr/bin/ usr/bin/bash=hello usr/bin/bash-hardlinked=hello"},
		"fact 31: hard link":                    {[][]item{{regular("etc/foo", "x"), hardlink("etc/bar", "etc/foo")}}, "etc/ etc/bar=x etc/foo=x"},
		"fact 32: odd slashes":                  {[][]item{f("usr///share/.//blah")}, "usr/ usr/share/ usr/share/blah=1"},
		"absolute and dotted names":             {[][]item{append(d("./", "/", "/c/"), f("/a", "./b")...)}, "a=1 b=1 c/"},
		"hard link across layers":               {[][]item{f("a"), {hardlink("b", "a")}, f(".wh.a")}, "b=1"},
		"hard link to a link":                   {[][]item{{symlink("l", "nowhere"), hardlink("m", "l")}}, "l->nowhere m->nowhere"},
		"hard link through a linked directory":  {[][]item{append(f("usr/lib/a"), symlink("lib", "usr/lib")), {hardlink("b", "lib/a")}}, "b=1 lib->usr/lib usr/ usr/lib/ usr/lib/a=1"},
		"hard link to itself":                   {[][]item{append(f("a"), hardlink("a", "a"))}, "a=1"},
		"hard link over its target's directory": {[][]item{append(f("d/a"), hardlink("d", "d/a"))}, "d=1"},
		"replaced target keeps old links":       {[][]item{append(f("a"), hardlink("b", "a")), {regular("a", "2")}}, "a=2 b=1"},
		"directory over directory":              {[][]item{f("d/a"), append(d("d"), f("d/b")...)}, "d/ d/a=1 d/b=1"},
		"file over directory":                   {[][]item{f("d/a"), f("d")}, "d=1"},
		"directory over file":                   {[][]item{f("d"), append(d("d"), f("d/a")...)}, "d/ d/a=1"},
		"directory over link":                   {[][]item{append(f("usr/a"), symlink("d", "usr")), append(d("d"), f("d/b")...)}, "d/ d/b=1 usr/ usr/a=1"},
		"link over directory":                   {[][]item{f("d/a"), {symlink("d", "x")}}, "d->x"},
		"duplicates: the later counts":          {[][]item{{regular("a", "1"), regular("a", "2"), directory("b"), regular("b", "3"), symlink("c", "x"), directory("c")}}, "a=2 b=3 c/"},
		"entry below a link":                    {[][]item{append(d("usr/lib"), symlink("lib", "usr/lib")), f("lib/a")}, "lib->usr/lib usr/ usr/lib/ usr/lib/a=1"},
		"entry below an absolute link":          {[][]item{append(d("usr/lib"), symlink("a/b", "/usr/lib")), f("a/b/c")}, "a/ a/b->/usr/lib usr/ usr/lib/ usr/lib/c=1"},
		"entry below a link out of the tree":    {[][]item{{symlink("up", "../../../../etc")}, f("up/passwd")}, "etc/ etc/passwd=1 up->../../../../etc"},
		"entry below a link to nothing":         {[][]item{{symlink("l", "x/y")}, f("l/a")}, "l->x/y x/ x/y/ x/y/a=1"},
		"whiteout below a link":                 {[][]item{append(f("usr/lib/a", "usr/lib/b"), symlink("lib", "usr/lib")), f("lib/.wh.a")}, "lib->usr/lib usr/ usr/lib/ usr/lib/b=1"},
		"whiteout of a link keeps its target":   {[][]item{append(f("usr/a"), symlink("l", "usr")), f(".wh.l")}, "usr/ usr/a=1"},
		"aufs' files":                           {[][]item{f("a", ".wh..wh.plnk", ".wh..wh.aufs"), d(".wh..wh.orph")}, "a=1"},
		"global header":                         {[][]item{append([]item{{tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}, ""}}, f("a")...)}, "a=1"},
		"special files":                         {[][]item{{device("c", tar.TypeChar, 1, 3), device("b", tar.TypeBlock, 8, 1), device("f", tar.TypeFifo, 0, 0)}}, "b! c! f!"},
		"contiguous file":                       {[][]item{{regular("a", "1").with(func(h *tar.Header) { h.Typeflag = tar.TypeCont })}}, "a=1"},
		"name that starts like a whiteout":      {[][]item{f("a.wh.b", "wh.c")}, "a.wh.b=1 wh.c=1"},
		"bytes that are not text":               {[][]item{f("\xff\xfe")}, "\xff\xfe=1"},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := merge(t, test.layers...)
			if err != nil {
				t.Fatal(err)
			}
			if got := listing(t, root); got != test.want {
				t.Errorf("expected %s\n     got %s", test.want, got)
			}
		})
	}
}

func TestMergeRefuses(t *testing.T) {
	long := strings.Repeat("n/", maxDepth/2)
	var links []item
	for k := range maxHops + 1 {
		links = append(links, symlink(fmt.Sprint(k), fmt.Sprint(k+1)))
	}
	for name, test := range map[string]struct {
		items []item
		want  string
	}{
		"fact 32: dot dot":          {[]item{regular("usr/foo/../../bar", "")}, "leaves its directory"},
		"leaving the tree":          {[]item{regular("../bar", "")}, "leaves its directory"},
		"hard link out of the tree": {[]item{hardlink("a", "../../etc/passwd")}, "leaves its directory"},
		"hard link to nothing":      {[]item{hardlink("a", "b")}, `hard link to "b"`},
		"hard link loop":            {[]item{hardlink("a", "b"), hardlink("b", "a")}, `hard link to "b"`},
		"hard link to itself":       {[]item{hardlink("a", "a")}, `hard link to "a"`},
		"hard link to a directory":  {[]item{directory("d"), hardlink("a", "d")}, "is a directory"},
		"hard link to the root":     {[]item{hardlink("a", "/")}, "is a directory"},
		"hard link onto the root":   {[]item{regular("a", ""), hardlink(".", "a")}, "root: not a directory"},
		"hard link through a loop":  {[]item{symlink("l", "l"), hardlink("a", "l/x")}, "too many symbolic links"},
		"entry below a file":        {[]item{regular("a", ""), regular("a/b", "")}, "parent directory: not a directory"},
		"entry below a link loop":   {[]item{symlink("a", "b"), symlink("b", "a"), regular("a/x", "")}, "too many symbolic links"},
		"entry below a link chain":  {append(links, regular("0/x", "")), "too many symbolic links"},
		"root as a file":            {[]item{regular("./", "").with(func(h *tar.Header) { h.Name = "." })}, "root: not a directory"},
		"whiteout without name":     {[]item{regular("etc/.wh.", "")}, "whiteout of nothing"},
		"whiteout of dot":           {[]item{regular("etc/.wh..", "")}, "whiteout of nothing"},
		"whiteout of dot dot":       {[]item{regular("etc/.wh...", "")}, "whiteout of nothing"},
		"entry below a whiteout":    {[]item{regular(".wh.a/b", "")}, "below a whiteout"},
		"long name":                 {[]item{regular(strings.Repeat("n", 256), "")}, "at most 255 bytes"},
		"long path":                 {[]item{regular(strings.Repeat("n/", 2048)+"x", "")}, "at most 4096 bytes"},
		"too deep by links":         {[]item{symlink("l", long), symlink("l/m", long), regular("l/m/x", "")}, "too many directories"},
		"unknown type":              {[]item{regular("a", "").with(func(h *tar.Header) { h.Typeflag = 'Z' })}, "unknown entry type"},
		"owner":                     {[]item{regular("a", "").with(func(h *tar.Header) { h.Uid = 1 << 32 })}, "out of range"},
		"negative owner":            {[]item{regular("a", "").with(func(h *tar.Header) { h.Gid = -1; h.Format = tar.FormatGNU })}, "out of range"},
		"device number":             {[]item{device("a", tar.TypeChar, 4096, 0)}, "out of range"},
		"long link":                 {[]item{symlink("a", strings.Repeat("t", 4096))}, "expected 1 to 4095"},
		"link without target":       {[]item{symlink("a", "")}, "link target of 0 bytes"},
		"large attribute":           {[]item{regular("a", "").xattrs("security.capability", strings.Repeat("v", 65536))}, "at most 65535 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := merge(t, test.items)
			if !errors.Is(err, ErrLayer) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("expected ErrLayer with %q, got %v", test.want, err)
			}
		})
	}
}

// TestMetadata checks what of a tar header reaches the inode.
func TestMetadata(t *testing.T) {
	at := time.Unix(1700000000, 123456789)
	root, err := merge(t, []item{
		directory("d").with(func(h *tar.Header) { h.Uid, h.Mode = 1, 0o700 }).xattrs("security.capability", "old"),
		regular("d/f", "x"),
	}, []item{
		directory("d").with(func(h *tar.Header) { h.Uid, h.Mode, h.ModTime, h.Format = 7, 0o1775, at, tar.FormatPAX }),
		regular("s", "").with(func(h *tar.Header) {
			h.Mode, h.Uid, h.Gid, h.Uname = 0o106755, 1<<32-2, 100000, "nobody"
		}),
		regular("x", "").xattrs("security.selinux", "label", "security.capability", "\x01\x00\x00\x02", "user.mime", "text",
			"trusted.overlay.opaque", "y", "system.posix_acl_access", "\x02"),
		device("c", tar.TypeChar, 259, 70000),
		regular(strings.Repeat("long/", 100)+"name", "ok"),
	})
	if err != nil {
		t.Fatal(err)
	}
	d, s, x, c := root.at(t, "d"), root.at(t, "s"), root.at(t, "x"), root.at(t, "c")
	if d.UID != 7 || d.Mode != 0o041775 || !d.Mtime.Equal(at) || d.Xattrs != nil || len(d.Children) != 1 {
		t.Errorf("directory metadata: expected the most derived layer's, got %+v", d)
	}
	if s.Mode != 0o106755 || s.UID != 1<<32-2 || s.GID != 100000 {
		t.Errorf("mode and owner: got %+v", s)
	}
	if got := fmt.Sprintf("%q", x.Xattrs); got != `map["security.capability":"\x01\x00\x00\x02" "system.posix_acl_access":"\x02"]` {
		t.Errorf("fact 29: attributes: got %s", got)
	}
	if c.Rdev.Major != 259 || c.Rdev.Minor != 70000 {
		t.Errorf("device: got %+v", c.Rdev)
	}
	if p := root.at(t, "long"); p.Mode != 0o040755 || p.UID != 0 {
		t.Errorf("missing parent: expected root's 0755, got %+v", p)
	}
}

func TestTreeFS(t *testing.T) {
	root, err := merge(t, []item{
		directory("usr/lib/modules"), regular("usr/lib/os-release", "NAME=x\n"), symlink("etc/os-release", "../usr/lib/os-release"),
		regular("big", strings.Repeat("0123456789", 2000)), regular("empty", ""), symlink("lib", "/usr/lib"), regular("dir/a", "1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(root, "usr/lib/os-release", "etc/os-release", "big", "empty", "dir/a", "lib"); err != nil {
		t.Error(err)
	}
	if got := readAll(t, root, "lib/os-release"); got != "NAME=x\n" {
		t.Errorf("through a link: got %q", got)
	}
	for _, name := range []string{"none", "big/x", "../etc", "/etc", "", "dir/../big"} {
		if _, err := root.Open(name); err == nil {
			t.Errorf("open %q: expected an error", name)
		}
	}
	if _, err := root.ReadLink("big"); err == nil {
		t.Error("readlink of a file: expected an error")
	}
}
