package cpio

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var built = time.Unix(1_700_000_000, 0)

// sample writes an archive with every kind of entry.
func sample(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, built)
	for _, err := range []error{
		w.Dir("run", 0o777),
		w.Dir("tmp", 0o777|fs.ModeSticky),
		w.File("init", 0o755, []byte("#!/bin/sh\n")),
		w.File("etc/slipway/empty", 0o600, nil),
		w.Stream("etc/slipway/five", 0o644, 5, strings.NewReader("12345 and more")),
		w.Dir("etc", 0o755),
		w.Symlink("bin", "usr/bin"),
		w.Device("dev/console", 0o600, fs.ModeDevice|fs.ModeCharDevice, 5, 1),
		w.Device("dev/sda", 0o660, fs.ModeDevice, 8, 0),
		w.Device("dev/pipe", 0o600, fs.ModeNamedPipe, 0, 0),
		w.File("usr/bin/su", 0o755|fs.ModeSetuid|fs.ModeSetgid, []byte("x")),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// sampleList is what sample holds, in order.
var sampleList = []struct {
	name, body   string
	mode         fs.FileMode
	major, minor uint32
}{
	{name: "run", mode: fs.ModeDir | 0o777},
	{name: "tmp", mode: fs.ModeDir | fs.ModeSticky | 0o777},
	{name: "init", mode: 0o755, body: "#!/bin/sh\n"},
	{name: "etc", mode: fs.ModeDir | 0o755},
	{name: "etc/slipway", mode: fs.ModeDir | 0o755},
	{name: "etc/slipway/empty", mode: 0o600},
	{name: "etc/slipway/five", mode: 0o644, body: "12345"},
	{name: "bin", mode: fs.ModeSymlink | 0o777, body: "usr/bin"},
	{name: "dev", mode: fs.ModeDir | 0o755},
	{name: "dev/console", mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, major: 5, minor: 1},
	{name: "dev/sda", mode: fs.ModeDevice | 0o660, major: 8},
	{name: "dev/pipe", mode: fs.ModeNamedPipe | 0o600},
	{name: "usr", mode: fs.ModeDir | 0o755},
	{name: "usr/bin", mode: fs.ModeDir | 0o755},
	{name: "usr/bin/su", mode: fs.ModeSetuid | fs.ModeSetgid | 0o755, body: "x"},
}

func TestRoundTrip(t *testing.T) {
	r := NewReader(bytes.NewReader(sample(t)), Limits{})
	for i, want := range sampleList {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s: %v", want.name, err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", want.name, err)
		}
		if h.Name != want.name || h.Mode != want.mode || string(body) != want.body ||
			h.Major != want.major || h.Minor != want.minor || h.Size != int64(len(want.body)) {
			t.Errorf("entry %d: got %+v with body %q, want %+v", i, h, body, want)
		}
		if h.Inode != uint32(i+1) || !h.ModTime.Equal(built) || h.UID != 0 || h.GID != 0 {
			t.Errorf("%s: got inode %d, time %v, owner %d:%d", h.Name, h.Inode, h.ModTime, h.UID, h.GID)
		}
	}
	if h, err := r.Next(); err != io.EOF {
		t.Errorf("behind the trailer: got %v, %v, want io.EOF", h, err)
	}
}

func TestReproducible(t *testing.T) {
	if !bytes.Equal(sample(t), sample(t)) {
		t.Error("two archives of the same calls differ")
	}
}

// TestCpioTool has cpio(1) list and unpack what the Writer wrote.
func TestCpioTool(t *testing.T) {
	tool, err := exec.LookPath("cpio")
	if err != nil {
		t.Fatal("cpio(1) is missing: install the Debian package cpio")
	}
	archive := sample(t)
	run := func(dir string, args ...string) string {
		cmd := exec.Command(tool, args...)
		cmd.Dir, cmd.Stdin, cmd.Env = dir, bytes.NewReader(archive), append(os.Environ(), "TZ=UTC", "LC_ALL=C")
		var out, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("cpio %v: %v: %s", args, err, stderr.String())
		}
		return out.String()
	}
	list := run("", "-itvn")
	for _, want := range []string{
		"drwxrwxrwt   2 0        0               0 Nov 14  2023 tmp",
		"-rwxr-xr-x   1 0        0              10 Nov 14  2023 init",
		"lrwxrwxrwx   1 0        0               7 Nov 14  2023 bin -> usr/bin",
		"crw-------   1 0        0          5,   1 Nov 14  2023 dev/console",
		"brw-rw----   1 0        0          8,   0 Nov 14  2023 dev/sda",
		"prw-------   1 0        0               0 Nov 14  2023 dev/pipe",
		"-rwsr-sr-x   1 0        0               1 Nov 14  2023 usr/bin/su",
	} {
		if !strings.Contains(list, want+"\n") {
			t.Errorf("cpio -itv: no line %q in:\n%s", want, list)
		}
	}
	if got := strings.Count(list, "\n"); got != len(sampleList) {
		t.Errorf("cpio -itv: got %d lines, want %d", got, len(sampleList))
	}
	dir := t.TempDir()
	run(dir, "-idm", "--no-preserve-owner", "--quiet", "etc*", "init", "bin", "usr*")
	if got, err := os.ReadFile(filepath.Join(dir, "etc/slipway/five")); err != nil || string(got) != "12345" {
		t.Errorf("unpacked: got %q, %v", got, err)
	}
}

// TestReadsCpioTool reads an archive that cpio(1) wrote.
func TestReadsCpioTool(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("abc"), 0o640); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cpio", "-o", "-H", "newc", "--quiet")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(".\na\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cpio -o (Debian package cpio): %v", err)
	}
	r := NewReader(bytes.NewReader(out), Limits{})
	for _, want := range []string{".", "a"} {
		h, err := r.Next()
		if err != nil || h.Name != want {
			t.Fatalf("got %+v, %v, want %q", h, err, want)
		}
	}
	if body, err := io.ReadAll(r); string(body) != "abc" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("got %v, want io.EOF", err)
	}
}

// TestJoined reads archives joined with zero padding, then a foreign rest.
func TestJoined(t *testing.T) {
	one := sample(t)
	joined := append(append(append([]byte{}, one...), make([]byte, 512)...), one...)
	joined = append(joined, make([]byte, 8)...)
	end := len(joined)
	joined = append(joined, "\x28\xb5\x2f\xfdrest"...)
	r := NewReader(bytes.NewReader(joined), Limits{})
	n := 0
	for {
		_, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 2*len(sampleList) || r.Offset() != int64(end) {
		t.Errorf("got %d members and offset %d, want %d and %d", n, r.Offset(), 2*len(sampleList), end)
	}
	if rest, _ := io.ReadAll(r.Rest()); string(rest) != "\x28\xb5\x2f\xfdrest" {
		t.Errorf("rest: got %q", rest)
	}
}

// TestFileHeader patches a size in later, as a streaming caller does.
func TestFileHeader(t *testing.T) {
	first, err := FileHeader("slipway/root.erofs", 0o600, built, 0)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("sixteen and one.!")
	archive := append(append([]byte{}, first...), body...)
	archive = append(archive, make([]byte, Align(int64(len(body)))-int64(len(body)))...)
	last, err := FileHeader("slipway/root.erofs", 0o600, built, int64(len(body)))
	if err != nil || len(last) != len(first) || len(first)%4 != 0 {
		t.Fatalf("second header: got %d bytes, %v, want %d", len(last), err, len(first))
	}
	copy(archive, last)
	var tail bytes.Buffer
	if err := NewWriter(&tail, built).Close(); err != nil {
		t.Fatal(err)
	}
	r := NewReader(bytes.NewReader(append(archive, tail.Bytes()...)), Limits{})
	h, err := r.Next()
	if err != nil || h.Name != "slipway/root.erofs" || h.Mode != 0o600 {
		t.Fatalf("got %+v, %v", h, err)
	}
	if got, _ := io.ReadAll(r); !bytes.Equal(got, body) {
		t.Errorf("got %q, want %q", got, body)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("got %v, want io.EOF", err)
	}
}

func TestAlign(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 1: 4, 4: 4, 5: 8, 1<<32 - 1: 1 << 32} {
		if got := Align(n); got != want {
			t.Errorf("Align(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("a/", 2048) + "b"
	for _, tc := range []struct {
		name string
		do   func(*Writer) error
		want error
	}{
		{"absolute", func(w *Writer) error { return w.File("/init", 0o755, nil) }, ErrName},
		{"empty", func(w *Writer) error { return w.File("", 0o755, nil) }, ErrName},
		{"dot", func(w *Writer) error { return w.Dir(".", 0o755) }, ErrName},
		{"dot dot", func(w *Writer) error { return w.File("a/../b", 0o644, nil) }, ErrName},
		{"NUL", func(w *Writer) error { return w.File("a\x00b", 0o644, nil) }, ErrName},
		{"trailer", func(w *Writer) error { return w.File("TRAILER!!!", 0o644, nil) }, ErrName},
		{"long name", func(w *Writer) error { return w.File(long, 0o644, nil) }, ErrName},
		{"long target", func(w *Writer) error { return w.Symlink("a", long) }, ErrName},
		{"empty target", func(w *Writer) error { return w.Symlink("a", "") }, ErrName},
		{"twice", func(w *Writer) error { w.File("a", 0o644, nil); return w.File("a", 0o644, nil) }, ErrName},
		{"other mode", func(w *Writer) error { w.Dir("a", 0o755); return w.Dir("a", 0o700) }, ErrName},
		{"below a file", func(w *Writer) error { w.File("a", 0o644, nil); return w.File("a/b", 0o644, nil) }, ErrName},
		{"4 GiB", func(w *Writer) error { return w.Stream("a", 0o644, 1<<32, nil) }, ErrTooLarge},
		{"negative", func(w *Writer) error { return w.Stream("a", 0o644, -1, nil) }, ErrTooLarge},
		{"short body", func(w *Writer) error { return w.Stream("a", 0o644, 9, strings.NewReader("x")) }, io.ErrUnexpectedEOF},
		{"after close", func(w *Writer) error { w.Close(); return w.Dir("a", 0o755) }, fs.ErrClosed},
	} {
		w := NewWriter(io.Discard, built)
		err := tc.do(w)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
		if w.Close() == nil {
			t.Errorf("%s: the error did not stick", tc.name)
		}
	}
	if err := NewWriter(io.Discard, time.Unix(-1, 0)).Dir("a", 0o755); !errors.Is(err, ErrTooLarge) {
		t.Errorf("time before 1970: got %v", err)
	}
	if err := NewWriter(io.Discard, built).File("a", 0o644|fs.ModeDir, nil); err == nil {
		t.Error("type bits in a permission were accepted")
	}
	if err := NewWriter(io.Discard, built).Device("a", 0o644, fs.ModeSocket, 0, 0); err == nil {
		t.Error("a socket was accepted as a device")
	}
}

// TestLargestMember writes the largest size the format has, to nowhere.
func TestLargestMember(t *testing.T) {
	if _, err := FileHeader("a", 0o644, built, MaxSize); err != nil {
		t.Error(err)
	}
	if _, err := FileHeader("a", 0o644, built, MaxSize+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one more byte: got %v, want ErrTooLarge", err)
	}
}

func TestReaderRefuses(t *testing.T) {
	good := sample(t)
	edit := func(off int, s string) []byte {
		b := append([]byte{}, good...)
		copy(b[off:], s)
		return b
	}
	for _, tc := range []struct {
		name string
		in   []byte
		lim  Limits
		want error
	}{
		{"nothing", nil, Limits{}, io.ErrUnexpectedEOF},
		{"other format", edit(0, "070707"), Limits{}, ErrFormat},
		{"no hex", edit(6, "0000000g"), Limits{}, ErrFormat},
		{"no name", edit(94, "00000000"), Limits{}, ErrFormat},
		{"endless name", edit(94, "00002000"), Limits{}, ErrFormat},
		{"NUL inside", edit(110, "r\x00n"), Limits{}, ErrFormat},
		{"endless body", edit(54, "ffffffff"), Limits{Total: 1 << 20}, ErrTooLarge},
		{"no trailer", good[:len(good)-124], Limits{}, io.ErrUnexpectedEOF},
		{"cut off", good[:300], Limits{}, io.ErrUnexpectedEOF},
		{"members", good, Limits{Members: 3}, ErrTooLarge},
		{"bytes", good, Limits{Total: 500}, ErrTooLarge},
		{"zeros", append(append([]byte{}, good...), make([]byte, 1<<16)...), Limits{Total: int64(len(good)) + 100}, ErrTooLarge},
	} {
		r := NewReader(bytes.NewReader(tc.in), tc.lim)
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
		if _, again := r.Next(); again != err {
			t.Errorf("%s: the error did not stick: %v", tc.name, again)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(sample(f))
	f.Add(append(sample(f), "070701"...))
	f.Add([]byte("070701"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in), Limits{Members: 100, Total: 1 << 20})
		for {
			h, err := r.Next()
			if err != nil {
				break
			}
			n, err := io.Copy(io.Discard, r)
			if err == nil && n != h.Size {
				t.Fatalf("%q: read %d bytes of %d", h.Name, n, h.Size)
			}
		}
		if r.Offset() > int64(len(in)) {
			t.Fatalf("offset %d behind the input's %d bytes", r.Offset(), len(in))
		}
	})
}

func Example() {
	var archive bytes.Buffer
	w := NewWriter(&archive, time.Time{})
	if err := w.File("etc/hostname", 0o644, []byte("slip\n")); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	r := NewReader(&archive, Limits{})
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		os.Stdout.WriteString(h.Mode.String() + " " + h.Name + "\n")
	}
	// Output:
	// drwxr-xr-x etc
	// -rw-r--r-- etc/hostname
}
