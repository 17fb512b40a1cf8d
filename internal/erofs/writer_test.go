package erofs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCloseRefuses(t *testing.T) {
	loop := dir(map[string]*Node{})
	loop.Children["loop"] = dir(map[string]*Node{"again": loop})
	twice := dir(nil)
	attr := func(name, value string) *Node {
		return dir(map[string]*Node{"f": {Mode: Regular, Xattrs: map[string]string{name: value}}})
	}
	full := &Node{Mode: Regular, Xattrs: map[string]string{}}
	for k := range 5 {
		full.Xattrs[fmt.Sprint("user.", k)] = strings.Repeat("v", MaxXattrValue)
	}
	for name, root := range map[string]*Node{
		"no root":                nil,
		"root is a file":         {Mode: Regular},
		"nil child":              dir(map[string]*Node{"x": nil}),
		"empty name":             dir(map[string]*Node{"": {Mode: Regular}}),
		"dot":                    dir(map[string]*Node{".": {Mode: Regular}}),
		"dot dot":                dir(map[string]*Node{"..": {Mode: Regular}}),
		"slash":                  dir(map[string]*Node{"a/b": {Mode: Regular}}),
		"NUL":                    dir(map[string]*Node{"a\x00": {Mode: Regular}}),
		"long name":              dir(map[string]*Node{strings.Repeat("n", 256): {Mode: Regular}}),
		"no type":                dir(map[string]*Node{"x": {Mode: 0o644}}),
		"odd type":               dir(map[string]*Node{"x": {Mode: 0o170644}}),
		"empty target":           dir(map[string]*Node{"x": {Mode: Symlink}}),
		"long target":            dir(map[string]*Node{"x": {Mode: Symlink, Target: strings.Repeat("t", 4096)}}),
		"NUL in target":          dir(map[string]*Node{"x": {Mode: Symlink, Target: "a\x00b"}}),
		"major":                  dir(map[string]*Node{"x": {Mode: CharDevice, Rdev: Device{4096, 0}}}),
		"minor":                  dir(map[string]*Node{"x": {Mode: BlockDevice, Rdev: Device{0, 1 << 20}}}),
		"directory loop":         loop,
		"directory linked twice": dir(map[string]*Node{"a": twice, "b": twice}),
		"attribute name space":   attr("system.nfs4_acl", ""),
		"attribute without name": attr("user.", "v"),
		"attribute below an ACL": attr("system.posix_acl_access.x", "v"),
		"long attribute name":    attr("user."+strings.Repeat("n", 251), "v"),
		"NUL in attribute name":  attr("user.a\x00b", "v"),
		"long attribute value":   attr("user.a", strings.Repeat("v", 65536)),
		"many attributes":        dir(map[string]*Node{"x": full}),
	} {
		if _, err := newBuilder(t).Close(root); !errors.Is(err, ErrNode) {
			t.Errorf("%s: expected ErrNode, got %v", name, err)
		}
	}
}

func TestFileRefuses(t *testing.T) {
	b := newBuilder(t)
	if _, err := b.File(strings.NewReader("abc"), 4); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short tail: expected an unexpected EOF, got %v", err)
	}
	if _, err := b.File(strings.NewReader("abc"), 4096); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short block: expected an unexpected EOF, got %v", err)
	}
	if _, err := b.File(strings.NewReader(""), -1); err == nil {
		t.Error("negative size: expected an error")
	}
	if _, err := b.File(strings.NewReader(""), 1<<62); !errors.Is(err, ErrTooLarge) {
		t.Errorf("beyond the format: expected ErrTooLarge, got %v", err)
	}
	b.close(dir(nil))
	if _, err := b.File(strings.NewReader("x"), 1); err == nil {
		t.Error("file after close: expected an error")
	}
	if _, err := b.Close(dir(nil)); err == nil {
		t.Error("second close: expected an error")
	}
}

func TestMaxSize(t *testing.T) {
	for size, step := range map[int64]string{4096: "data", 12288: "inodes"} {
		b := newBuilder(t)
		b.MaxSize = size
		_, err := b.File(strings.NewReader(strings.Repeat("x", 8192)), 8192)
		if step == "inodes" {
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.Close(dir(nil))
		}
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s into %d bytes: expected ErrTooLarge, got %v", step, size, err)
		}
	}
	b := newBuilder(t)
	b.MaxSize = 8192
	b.close(dir(nil))
}

// full fails like a file system without room.
type full struct{ after int }

var errFull = errors.New("no space left on device")

func (f *full) WriteAt(p []byte, _ int64) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestOutputError(t *testing.T) {
	for after := range 8 {
		w := NewWriter(&full{after}, time.Time{})
		data, err := w.File(strings.NewReader(strings.Repeat("x", 4096)), 4096)
		c := map[string]*Node{"l": {Mode: Symlink, Target: strings.Repeat("x", 4095)}, "f": {Mode: Regular, Data: data}}
		for k := range 300 {
			c[fmt.Sprint(k)] = c["l"]
		}
		if err == nil {
			_, err = w.Close(dir(c))
		}
		if after < 5 && !errors.Is(err, errFull) || after >= 5 && err != nil {
			t.Errorf("output fails at write %d: got %v", after, err)
		}
	}
}

func TestTailsAreBounded(t *testing.T) {
	b := newBuilder(t)
	b.tails = maxTails - 100
	root := dir(map[string]*Node{"in": b.file(100, 1), "out": b.file(100, 2), "next": b.file(1, 3)})
	if root.Children["in"].Data.tail == nil || root.Children["out"].Data.tail != nil || root.Children["next"].Data.tail != nil {
		t.Error("expected exactly the first tail in memory")
	}
	b.close(root)
	if root.Children["in"].Data.tail != nil {
		t.Error("tail still in memory after Close")
	}
	compare(t, b.mem.b, root)
	fsck(t, b.mem.b)
}

func TestDeterministic(t *testing.T) {
	var images [2][]byte
	for k := range images {
		b := newBuilder(t)
		b.UUID = [16]byte{1, 2, 3}
		b.close(shapes["attributes"](b))
		images[k] = b.mem.b
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Error("the same calls gave different images")
	}
}

func TestParallelFiles(t *testing.T) {
	b := newBuilder(t)
	nodes := make([]*Node, 64)
	var wg sync.WaitGroup
	for k := range nodes {
		wg.Go(func() { nodes[k] = b.file(k*9000, byte(k)) })
	}
	wg.Wait()
	root := dir(map[string]*Node{})
	for k, n := range nodes {
		root.Children[fmt.Sprint(k)] = n
	}
	b.close(root)
	compare(t, b.mem.b, root)
	for k, n := range nodes {
		if got, err := io.ReadAll(n.Data.Open(&b.mem)); err != nil || !bytes.Equal(got, pattern(k*9000, byte(k))) {
			t.Fatalf("file %d differs after a parallel write: %v", k, err)
		}
	}
	fsck(t, b.mem.b)
}

// TestCheckerIsAwake makes sure that fsck would complain.
func TestCheckerIsAwake(t *testing.T) {
	b := newBuilder(t)
	b.close(dir(nil))
	b.mem.b[superOffset+100] ^= 1
	if err := runFsck(t, b.mem.b); err == nil {
		t.Error("fsck.erofs accepts a wrong checksum")
	}
}

func TestSuperblock(t *testing.T) {
	b := newBuilder(t)
	b.UUID = [16]byte{0xde, 0xad, 0xbe, 0xef, 15: 1}
	b.close(shapes["hard links"](b))
	file := filepath.Join(t.TempDir(), "image.erofs")
	if err := os.WriteFile(file, b.mem.b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "dump.erofs"), "-s", file)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("dump.erofs: %v\n%s", err, out)
	}
	for _, want := range []string{
		"sb_csum mtime", "deadbeef-0000-0000-0000-000000000001", "Tue Nov 14 22:13:20 2023",
		"inode count: 5", fmt.Sprintf("blocks: %d", len(b.mem.b)/blockSize),
	} {
		if !strings.Contains(strings.Join(strings.Fields(string(out)), " "), want) {
			t.Errorf("dump.erofs: expected %q in\n%s", want, out)
		}
	}
}
