//go:build vm

package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-boot/slipway/qemu/lab"
)

// odd is where the odd files are, besides some in /etc and /var.
const odd = "usr/odd/"

// Names that the root does not have in the end.
const (
	gone     = odd + "link/gone"
	whiteout = odd + "link/.wh.gone"
	boot     = "boot/linked"
)

// Attributes as tar carries them.
const (
	capability = "SCHILY.xattr.security.capability"
	aclAccess  = "SCHILY.xattr.system.posix_acl_access"
	aclDefault = "SCHILY.xattr.system.posix_acl_default"
)

// capNamespaced is a capability of version 3, for user 1000 as root.
const capNamespaced = "\x01\x00\x00\x03\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe8\x03\x00\x00"

// capPlain is version 2: cap_net_bind_service, effective.
const capPlain = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// maxUsers is how many users an ACL has room for: 65532 bytes of 65535.
const maxUsers = 8187

// acl is a POSIX ACL of user::rwx, users from 1000 on, group::r-x, mask, other.
func acl(users int) string {
	const userObj, user, groupObj, mask, other, nobody = 1, 2, 4, 16, 32, 1<<32 - 1
	entry := func(b []byte, tag, perm uint16, id uint32) []byte {
		le := binary.LittleEndian
		return le.AppendUint32(le.AppendUint16(le.AppendUint16(b, tag), perm), id)
	}
	b := entry(binary.LittleEndian.AppendUint32(nil, 2), userObj, 7, nobody)
	for k := range users {
		b = entry(b, user, uint16(k%8), uint32(1000+k))
	}
	b = entry(b, groupObj, 5, nobody)
	b = entry(b, mask, 5, nobody)
	return string(entry(b, other, 5, nobody))
}

// oddLayer is a layer and the names in it that must be in the root.
type oddLayer struct {
	t     *testing.T
	buf   bytes.Buffer
	w     *tar.Writer
	names []string
}

func newOddLayer(t *testing.T) *oddLayer {
	l := &oddLayer{t: t}
	l.w = tar.NewWriter(&l.buf)
	return l
}

// add adds an entry: a regular file unless h says otherwise.
func (l *oddLayer) add(h tar.Header, data string) {
	l.t.Helper()
	h.Format, h.Size = tar.FormatPAX, int64(len(data))
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
	}
	if h.ModTime.IsZero() {
		h.ModTime = time.Unix(1700000000, 0)
	}
	if err := l.w.WriteHeader(&h); err != nil {
		l.t.Fatalf("%.60q: %v", h.Name, err)
	}
	if _, err := l.w.Write([]byte(data)); err != nil {
		l.t.Fatalf("%.60q: %v", h.Name, err)
	}
	l.names = append(l.names, "/"+strings.TrimSuffix(h.Name, "/"))
}

func (l *oddLayer) link(name, target string) {
	l.t.Helper()
	l.add(tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}, "")
}

func (l *oddLayer) on(img v1.Image) v1.Image {
	l.t.Helper()
	if err := l.w.Close(); err != nil {
		l.t.Fatal(err)
	}
	return appendTar(l.t, img, l.buf.Bytes())
}

// oddImage is a bootable image with two layers of what no ordinary image has,
// and the names that must be in its root.
func oddImage(t *testing.T, r *rig) (v1.Image, []string) {
	t.Helper()
	img := r.tiny(t, lab.TinyOptions{Kargs: []string{"console=ttyS0,115200", "tiny.walk"}}).(v1.Image)
	l := newOddLayer(t)
	l.sizes()
	l.names255()
	l.meta()
	l.special()
	l.attributes()
	l.links()
	img = l.on(img)

	upper := newOddLayer(t)
	upper.link(odd+"link/upper", odd+"link/first")     // to a layer below
	upper.link("usr/bin/a-capable", "usr/bin/capable") // to the lowest
	upper.link(odd+"link/from-boot", boot)             // /boot is emptied, its file stays
	upper.add(tar.Header{Name: odd + "link/replaced", Mode: 0o600}, "no link any more")
	upper.add(tar.Header{Name: whiteout}, "") // one name of a group less
	names := slices.DeleteFunc(append(l.names, upper.names...), func(name string) bool {
		return name == "/"+boot || name == "/"+whiteout || name == "/"+gone
	})
	return upper.on(img), names
}

// sizes are files around the borders of blocks and of what is inlined.
func (l *oddLayer) sizes() {
	for k, size := range []int{0, 1, 2047, 2048, 2049, 4000, 4095, 4096, 4097, 6144, 6145, 8191, 8192, 8193} {
		l.add(tar.Header{Name: fmt.Sprintf("%ssize/%d", odd, size), Mode: 0o644}, strings.Repeat(string(rune('a'+k)), size))
	}
	l.add(tar.Header{Name: odd + "size/hole", Mode: 0o644}, strings.Repeat("\x00", 300000)+"end")
	for _, size := range []int{1, 59, 60, 100, 3000, 4000, 4031, 4032, 4033, 4095} {
		l.add(tar.Header{Typeflag: tar.TypeSymlink, Name: fmt.Sprintf("%ssize/symlink%d", odd, size),
			Linkname: strings.Repeat("s", size), Mode: 0o777}, "")
	}
}

// names255 are long and strange names, directories of several blocks, empty
// and deep ones. A name that is no UTF-8 is a FIFO's: the reader that judges
// opens no such file.
func (l *oddLayer) names255() {
	for k := range 400 {
		l.add(tar.Header{Name: fmt.Sprintf("%smany/%s%d", odd, strings.Repeat("n", k%50), k), Mode: 0o600}, "")
	}
	for k := range 40 {
		name := fmt.Sprintf("%02d%s", k, strings.Repeat("\u00fc", 126)) // 2 + 252
		l.add(tar.Header{Name: odd + "long/" + name + "x", Mode: 0o644}, name)
	}
	for _, name := range []string{" ", "\n", "a b\t\"c\"\\", "...", "-rf", "\x01\x7f", "\u65e5\u672c"} {
		l.add(tar.Header{Name: odd + "strange/" + name, Mode: 0o644}, name)
	}
	l.add(tar.Header{Typeflag: tar.TypeFifo, Name: odd + "strange/latin-\xe9\xff", Mode: 0o644}, "")
	l.add(tar.Header{Typeflag: tar.TypeDir, Name: odd + "empty/", Mode: 0o755}, "")
	l.add(tar.Header{Name: odd + strings.Repeat("deep/", 100) + "file", Mode: 0o644}, "deep")
}

// meta are modes, owners and times.
func (l *oddLayer) meta() {
	for _, mode := range []int64{0, 0o1644, 0o2755, 0o4755, 0o6511, 0o7777} {
		l.add(tar.Header{Name: fmt.Sprintf("%smode/%o", odd, mode), Mode: mode}, "mode")
		l.add(tar.Header{Typeflag: tar.TypeDir, Name: fmt.Sprintf("%smode/dir%o/", odd, mode), Mode: mode}, "")
	}
	for _, id := range []int{1, 65534, 65535, 65536, 1 << 21, 1<<31 - 1, 1 << 31, 1<<32 - 2} {
		l.add(tar.Header{Name: fmt.Sprintf("%sowner/%d", odd, id), Mode: 0o644, Uid: id, Gid: id - 1}, "owner")
	}
	for k, at := range []time.Time{
		time.Unix(0, 1), time.Unix(-1, 0), time.Unix(-2, 500000000), time.Unix(-1, 999999999), time.Unix(-1<<31-1, 7),
		time.Unix(1<<31, 123456789), time.Unix(1<<32, 999999999), time.Unix(253402300799, 999999999),
	} {
		l.add(tar.Header{Name: fmt.Sprintf("%stime/%d", odd, k), Mode: 0o644, ModTime: at}, "time")
		l.add(tar.Header{Typeflag: tar.TypeDir, Name: fmt.Sprintf("%stime/dir%d/", odd, k), Mode: 0o755, ModTime: at}, "")
	}
}

// special are devices and FIFOs. A character device 0:0 is overlayfs' own mark
// of a deleted file and must still be what it is.
func (l *oddLayer) special() {
	for k, d := range [][2]int64{{0, 0}, {1, 3}, {8, 255}, {8, 256}, {255, 65535}, {4095, 1048575}} {
		h := tar.Header{Typeflag: tar.TypeChar, Name: fmt.Sprintf("%sdev/char%d", odd, k), Mode: 0o660, Gid: 6, Devmajor: d[0], Devminor: d[1]}
		l.add(h, "")
		h.Typeflag, h.Name = tar.TypeBlock, fmt.Sprintf("%sdev/block%d", odd, k)
		l.add(h, "")
	}
	l.add(tar.Header{Typeflag: tar.TypeFifo, Name: odd + "dev/fifo", Mode: 0o622}, "")
	l.add(tar.Header{Typeflag: tar.TypeFifo, Name: "var/lib/odd/fifo", Mode: 0o600}, "")
	l.add(tar.Header{Typeflag: tar.TypeChar, Name: "var/lib/odd/null", Mode: 0o666, Devmajor: 1, Devminor: 3}, "")
}

// attributes are the extended attributes that an image may bring: small ones,
// one in each place, and two that are as large as they may be on one inode.
func (l *oddLayer) attributes() {
	both := map[string]string{capability: capPlain, aclAccess: acl(3)}
	files := map[string]map[string]string{
		"cap":         {capability: capPlain},
		"cap-of-user": {capability: capNamespaced},
		"acl":         {aclAccess: acl(1)},
		"both":        both,
		"block":       {aclAccess: acl(500)}, // just below a block
		"blocks":      {aclAccess: acl(520), capability: capPlain},
		"largest":     {aclAccess: acl(maxUsers), capability: capPlain},
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		l.add(tar.Header{Name: odd + "xattr/" + name, Mode: 0o755, PAXRecords: files[name]}, "with attributes")
		l.add(tar.Header{Name: odd + "xattr/" + name + "-4097", Mode: 0o755, PAXRecords: files[name]}, strings.Repeat("x", 4097))
	}
	for k := range 60 { // ends of attributes at all places in a block
		l.add(tar.Header{Name: fmt.Sprintf("%sxattr/acl%d", odd, k), Mode: 0o755, PAXRecords: map[string]string{aclAccess: acl(7 * k)}}, "")
	}
	for _, name := range []string{odd + "xattr/dir/", odd + "xattr/dir-largest/", "etc/odd/", "var/lib/odd/"} {
		users := 2
		if strings.HasSuffix(name, "largest/") {
			users = maxUsers
		}
		l.add(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755,
			PAXRecords: map[string]string{aclAccess: acl(users), aclDefault: acl(users)}}, "")
		l.add(tar.Header{Name: name + "file", Mode: 0o755, PAXRecords: both}, "below")
	}
	l.add(tar.Header{Typeflag: tar.TypeFifo, Name: odd + "xattr/fifo", Mode: 0o755, PAXRecords: both}, "")
}

// links are groups of hard links, also of what is no regular file.
func (l *oddLayer) links() {
	l.add(tar.Header{Name: odd + "link/first", Mode: 0o644}, "linked")
	for k := range 20 {
		l.link(fmt.Sprintf("%slink/%d", odd, k), odd+"link/first")
	}
	l.link(odd+"a-first", odd+"link/0")
	for _, name := range []string{gone, odd + "link/replaced", odd + "link/left"} {
		l.link(name, odd+"size/4097")
	}
	l.link(odd+"link/symlink", odd+"size/symlink100")
	l.link(odd+"link/fifo", odd+"dev/fifo")
	l.link(odd+"link/device", odd+"dev/char1")
	l.link("var/lib/odd/link", odd+"xattr/both")
	l.link("etc/odd/link", odd+"xattr/both")
	l.add(tar.Header{Name: boot, Mode: 0o600}, "kept by its link")
}
