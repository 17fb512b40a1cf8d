package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/slipway-boot/slipway/internal/erofs"
)

// endless is a tar whose entries never end.
type endless struct {
	entry func(n int) item
	n     int
	buf   bytes.Buffer
}

func (e *endless) Read(p []byte) (int, error) {
	for e.buf.Len() < len(p) {
		i := e.entry(e.n)
		e.n++
		w := tar.NewWriter(&e.buf)
		if err := w.WriteHeader(&i.Header); err != nil {
			return 0, err
		}
		if _, err := io.WriteString(w, i.content); err != nil {
			return 0, err
		}
		if err := w.Flush(); err != nil {
			return 0, err
		}
	}
	return e.buf.Read(p)
}

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// nowhere discards an image.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// TestCeilings lets layers without end run into each ceiling.
func TestCeilings(t *testing.T) {
	name := func(n int) string { return fmt.Sprintf("%08x", n) }
	for what, test := range map[string]struct {
		entry func(n int) item
		set   func(l *limits)
		want  string
	}{
		"entries":    {func(n int) item { return regular(name(n), "") }, func(l *limits) { l.entries.ceiling = 5000 }, "at most 5000 entries"},
		"devices":    {func(n int) item { return device(name(n), tar.TypeChar, 1, 3) }, func(l *limits) { l.entries.ceiling = 5000 }, "at most 5000 entries"},
		"duplicates": {func(int) item { return directory("same") }, func(l *limits) { l.entries.ceiling = 5000 }, "at most 5000 entries"},
		"whiteouts":  {func(n int) item { return regular(".wh."+name(n), "") }, func(l *limits) { l.memory.ceiling = 1 << 20 }, "at most 1048576 bytes of names"},
		"names":      {func(n int) item { return regular(strings.Repeat("d/", 2000)+name(n), "") }, func(l *limits) { l.memory.ceiling = 1 << 20 }, "bytes of names"},
		"targets":    {func(n int) item { return symlink(name(n), strings.Repeat("t", 4000)) }, func(l *limits) { l.memory.ceiling = 1 << 20 }, "bytes of names"},
		"attributes": {func(n int) item {
			return regular(name(n), "").xattrs("security.capability", strings.Repeat("v", 60000))
		}, func(l *limits) { l.memory.ceiling = 1 << 20 }, "bytes of names"},
		"ignored PAX": {func(n int) item { return regular(name(n), "").xattrs("user.x", strings.Repeat("v", 60000)) }, func(l *limits) { l.unpacked.ceiling = 1 << 20 }, "at most 1048576 bytes unpacked"},
		"headers": {func(n int) item {
			return item{tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": name(n)}}, ""}
		}, func(l *limits) { l.entries.ceiling = 5000 }, "at most 5000 entries"},
		"contents": {func(n int) item { return regular(name(n), strings.Repeat("c", 50000)) }, func(l *limits) { l.image = 1 << 20 }, "image too large"},
	} {
		t.Run(what, func(t *testing.T) {
			limits := newLimits()
			test.set(limits)
			files := erofs.NewWriter(nowhere{}, time.Time{})
			files.MaxSize = limits.image
			r := newHashedReader(&endless{entry: test.entry}, limits.unpacked)
			_, err := untar(context.Background(), r, files, limits)
			if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("expected ErrTooLarge with %q, got %v", test.want, err)
			}
		})
	}
}

// TestImpliedDirectories counts directories that no entry describes.
func TestImpliedDirectories(t *testing.T) {
	limits := newLimits()
	limits.memory.ceiling = 1 << 20
	var items []item
	for k := range 100 {
		items = append(items, regular(fmt.Sprint(k, "/", strings.Repeat("d/", 100), "f"), ""))
	}
	if _, err := mergeTars(t, limits, tarball(t, items...)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("expected ErrTooLarge, got %v", err)
	}
}

// TestGzipBomb checks that a stream which inflates a thousandfold is stopped
// at the ceiling, in little memory.
func TestGzipBomb(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	bomb := regular("bomb", "").Header
	bomb.Size = 64 << 20
	if err := w.WriteHeader(&bomb); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeros{}, bomb.Size); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	i := newTestImage(t).add(typeGzip, packed.Bytes(), nil)
	i.limits.unpacked.ceiling = 4 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := i.run(t.Context())
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("expected ErrTooLarge, got %v", err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("expected at most 8 MiB to be allocated, got %d bytes", got)
	}
	if info, err := i.target.Stat(); err != nil || info.Size() > 5<<20 {
		t.Errorf("expected at most 5 MiB to be written, got %v, %v", info, err)
	}
}

// TestSparse reads the forms in which GNU tar stores holes.
func TestSparse(t *testing.T) {
	dir := t.TempDir()
	const data, at, size = "data", 1 << 20, 2<<20 + 5
	for _, f := range []struct {
		name string
		size int64
	}{{"sparse", size}, {"huge", 1 << 40}} {
		file, err := os.Create(filepath.Join(dir, f.name))
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.WriteAt([]byte(data), at)
		if err := errors.Join(err, file.Truncate(f.size), file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for _, form := range []string{"--format=gnu", "--format=posix --sparse-version=0.0", "--format=posix --sparse-version=0.1", "--format=posix --sparse-version=1.0"} {
		archive := func(name string) []byte {
			out, err := exec.Command("tar", append(strings.Fields(form), "-S", "-C", dir, "-c", name)...).Output()
			if err != nil {
				t.Fatalf("GNU tar: %v", err)
			}
			return out
		}
		small := archive("sparse")
		if len(small) > 100<<10 {
			t.Fatalf("%s: no holes in the archive: set TMPDIR to a file system that has them", form)
		}
		root, err := mergeTars(t, newLimits(), small)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		want := strings.Repeat("\x00", at) + data + strings.Repeat("\x00", size-at-len(data))
		if got := readAll(t, root, "sparse"); got != want {
			t.Errorf("%s: contents differ", form)
		}
		if _, err := mergeTars(t, newLimits(), archive("huge")); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: a hole of 1 TiB: expected ErrTooLarge, got %v", form, err)
		}
	}
}

// retype changes the type of a tar's first entry.
func retype(b []byte, kind byte) []byte {
	b = bytes.Clone(b)
	b[156] = kind
	sum := int64(8 * ' ')
	for k, c := range b[:512] {
		if k < 148 || k >= 156 {
			sum += int64(c)
		}
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// TestHugeNames checks that a name's announced size is not believed.
func TestHugeNames(t *testing.T) {
	h := regular("name", "").Header
	h.Size = 1 << 32
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []byte{tar.TypeGNULongName, tar.TypeGNULongLink, tar.TypeXHeader, tar.TypeXGlobalHeader} {
		r := io.MultiReader(bytes.NewReader(retype(b.Bytes(), kind)), zeros{})
		_, err := untar(context.Background(), r, erofs.NewWriter(nowhere{}, time.Time{}), newLimits())
		if !errors.Is(err, ErrLayer) {
			t.Errorf("a name of 4 GiB, type %q: expected ErrLayer, got %v", kind, err)
		}
	}
}

// TestTargetFull checks that a Target without room is not called a bad layer.
func TestTargetFull(t *testing.T) {
	b := tarball(t, regular("a", strings.Repeat("x", 4096)))
	i := newTestImage(t).add(typeGzip, gzipped(t, b), b)
	full := errors.New("no space left on device")
	i.root = fullTarget{i.target, full}
	if _, err := i.run(t.Context()); !errors.Is(err, full) || errors.Is(err, ErrLayer) {
		t.Errorf("expected the target's error alone, got %v", err)
	}
}

type fullTarget struct {
	Target
	err error
}

func (f fullTarget) WriteAt([]byte, int64) (int, error) { return 0, f.err }
