package erofs

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// shapes are trees that between them reach every branch of the layout.
var shapes = map[string]func(b *builder) *Node{
	"empty": func(b *builder) *Node { return dir(nil) },
	"sizes": func(b *builder) *Node {
		c := map[string]*Node{}
		for k, n := range []int{0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 6144, 6145, 8191, 8192, copyChunk, copyChunk + 1, copyChunk + 2049, 3*copyChunk + 4096} {
			c[fmt.Sprint(n)] = b.file(n, byte(k))
		}
		return dir(c)
	},
	"types and owners": func(b *builder) *Node {
		return dir(map[string]*Node{
			"char":   {Mode: CharDevice | 0o620, Rdev: Device{1, 3}, UID: 1, GID: 2},
			"char2":  {Mode: CharDevice | 0o620, Rdev: Device{4095, 1048575}},
			"block":  {Mode: BlockDevice | 0o660, Rdev: Device{259, 300}, UID: 1<<32 - 2, GID: 1<<32 - 2},
			"fifo":   {Mode: FIFO | 0o600, Mtime: time.Unix(-5, 999999999)},
			"socket": {Mode: Socket | 0o777, Mtime: time.Unix(1<<40, 1)},
			"link":   {Mode: Symlink | 0o777, Target: "char"},
			"long":   {Mode: Symlink | 0o777, Target: strings.Repeat("t", MaxTarget)},
			"4032":   {Mode: Symlink | 0o777, Target: strings.Repeat("u", 4032)},
			"4033":   {Mode: Symlink | 0o777, Target: strings.Repeat("v", 4033)},
			"setuid": {Mode: Regular | 0o6755},
			"sticky": {Mode: Directory | 0o1777},
		})
	},
	"big directory": func(b *builder) *Node {
		c := map[string]*Node{}
		for k := range 3000 {
			c[fmt.Sprintf("%d-%s", k, strings.Repeat("n", k%200))] = &Node{Mode: Regular | 0o600, UID: uint32(k)}
		}
		return dir(map[string]*Node{"d": dir(c)})
	},
	"names": func(b *builder) *Node {
		c := map[string]*Node{}
		for _, name := range []string{"!", "-", ".a", "..a", "...", " ", "\x01", "\x7f", "\xff\xfe", "é", "a", "a.", "ab", "aB"} {
			c[name] = b.file(3, name[0])
		}
		for k := range 40 {
			c[strings.Repeat(string(rune('a'+k%26)), 255-k/26)] = &Node{Mode: FIFO | 0o644}
		}
		return dir(c)
	},
	"hard links": func(b *builder) *Node {
		f, s := b.file(5000, 9), &Node{Mode: Symlink | 0o777, Target: "f"}
		return dir(map[string]*Node{
			"f": f, "g": f, "s": s, "d": dir(map[string]*Node{"f": f, "s": s, "e": dir(map[string]*Node{"x": f})}),
		})
	},
	"attributes": func(b *builder) *Node {
		c := map[string]*Node{"acl": b.file(10, 1)}
		c["acl"].Xattrs = map[string]string{
			"system.posix_acl_access": "\x02\x00\x00\x00", "system.posix_acl_default": "",
			"user." + strings.Repeat("n", 250): "v", "security.capability": "\x00\x01", "trusted.x": strings.Repeat("z", 300),
		}
		for k, size := range []int{0, 1, 1900, 1915, 1916, 1917, 1990, 4000, 4096, 9000, 60000, 65535} {
			for _, data := range []int{0, 100, 2048, 4096, 6000, 6144} {
				n := b.file(data, byte(k))
				n.Xattrs = map[string]string{"user.k": string(pattern(size, byte(k)))}
				c[fmt.Sprintf("%d-%d", size, data)] = n
			}
			c[fmt.Sprintf("%d-link", size)] = &Node{Mode: Symlink | 0o777, Target: strings.Repeat("t", 80), Xattrs: map[string]string{"trusted.k": string(pattern(size, 7))}}
			d := dir(map[string]*Node{"f": b.file(1, 1)})
			d.Xattrs = map[string]string{"trusted.k": string(pattern(size, 8))}
			c[fmt.Sprintf("%d-dir", size)] = d
		}
		many := &Node{Mode: Regular | 0o644, Xattrs: map[string]string{}}
		for k := range 1000 {
			many.Xattrs[fmt.Sprintf("user.%d", k)] = strings.Repeat("v", k%200)
		}
		c["many"] = many
		return dir(c)
	},
	"deep": func(b *builder) *Node {
		n := dir(map[string]*Node{"bottom": b.file(7, 7)})
		for range 1000 {
			n = dir(map[string]*Node{"d": n})
		}
		return n
	},
	"root with attributes": func(b *builder) *Node {
		n := dir(map[string]*Node{"f": b.file(1, 1)})
		n.Mode, n.UID, n.Xattrs = Directory|0o700, 5, map[string]string{"security.selinux": strings.Repeat("s", 60000)}
		return n
	},
}

func TestRoundTrip(t *testing.T) {
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			b := newBuilder(t)
			root := shape(b)
			b.close(root)
			compare(t, b.mem.b, root)
			if name != "deep" { // fsck.erofs limits its depth
				fsck(t, b.mem.b)
			}
		})
	}
}

func TestDataReadsBack(t *testing.T) {
	b := newBuilder(t)
	root := dir(map[string]*Node{})
	for _, size := range []int{0, 5, 2048, 4096, 5000, 3000, 12288 + 17} {
		n := b.file(size, 3)
		want := pattern(size, 3)
		if got, err := io.ReadAll(n.Data.Open(&b.mem)); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes before Close: %v", size, err)
		}
		root.Children[fmt.Sprint(size)] = n
	}
	b.close(root)
	for _, name := range slices.Sorted(maps.Keys(root.Children)) {
		n := root.Children[name]
		want := pattern(int(n.Data.Size()), 3)
		r := n.Data.Open(&b.mem)
		for off := range want {
			var p [7]byte
			k, err := r.ReadAt(p[:], int64(off))
			if !bytes.Equal(p[:k], want[off:min(off+7, len(want))]) || (k < 7) != (err == io.EOF) {
				t.Fatalf("%s bytes at %d: got %d bytes, %v", name, off, k, err)
			}
		}
	}
}
