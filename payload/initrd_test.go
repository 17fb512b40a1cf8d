package payload

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/internal/cpio"
	"github.com/slipway-boot/slipway/internal/layout"
)

// build makes an initrd with a root of size bytes and the given initramfs.
func build(t *testing.T, root []byte, initramfs string) *initrd {
	t.Helper()
	r, err := newInitrd()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if _, err := r.file.WriteAt(root, r.rootAt); err != nil {
		t.Fatal(err)
	}
	if err := r.finishRoot(int64(len(root))); err != nil {
		t.Fatal(err)
	}
	if initramfs != "" {
		if err := r.appendInitramfs(strings.NewReader(initramfs)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.archive(func(w *cpio.Writer) error { return w.File(layout.Init, initPerm, []byte("runtime")) }); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestInitrd unpacks what was written with another program than ours, the way
// the kernel does: one archive after the other.
func TestInitrd(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 4, 4097} {
		root := bytes.Repeat([]byte{0xe0}, size)
		r := build(t, root, "")
		if r.end%4 != 0 {
			t.Errorf("size %d: end %d is not a multiple of 4", size, r.end)
		}
		dir := t.TempDir()
		at := int64(0)
		for range 2 {
			cmd := exec.Command("cpio", "-idm", "--quiet")
			cmd.Dir, cmd.Stdin = dir, io.NewSectionReader(r.file, at, r.end-at)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("cpio (Debian package cpio): %v: %s", err, out)
			}
			at = cpio.Align(r.rootAt+int64(size)) + 124 // the first archive's trailer
		}
		if got, err := os.ReadFile(dir + "/" + layout.HandoffRoot); err != nil || !bytes.Equal(got, root) {
			t.Errorf("size %d: root: got %d bytes, %v", size, len(got), err)
		}
		if got, err := os.ReadFile(dir + "/" + layout.Init); err != nil || string(got) != "runtime" {
			t.Errorf("size %d: init: got %q, %v", size, got, err)
		}
	}
}

func TestInitramfsStandsBetween(t *testing.T) {
	r := build(t, []byte("root"), "compressed") // 10 bytes: 2 of padding follow
	data := make([]byte, r.end)
	if _, err := r.file.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("compressed"))
	if at%4 != 0 || !bytes.HasPrefix(data[at+10:], []byte("\x00\x00070701")) {
		t.Errorf("initramfs at %d, followed by %q", at, data[at+10:at+20])
	}
}

func TestRootSHA256(t *testing.T) {
	r := build(t, []byte("abc"), "")
	got, err := r.rootSHA256(3)
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; err != nil || got != want {
		t.Errorf("expected %s, got %s, %v", want, got, err)
	}
}

func TestRootTooLargeForCpio(t *testing.T) {
	r, err := newInitrd()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.finishRoot(1 << 32); err == nil {
		t.Error("a root of 4 GiB was accepted")
	}
}

// early makes an initramfs that begins with an uncompressed archive, as dracut
// and initramfs-tools write them.
func early(t *testing.T, files ...string) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := cpio.NewWriter(&out, epoch)
	for _, name := range files {
		if err := w.File(name, 0o644, []byte("update "+name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestMicrocode(t *testing.T) {
	intel := microcodeDir + "GenuineIntel.bin"
	initramfs := early(t, "early_cpio", intel, microcodeDir+"old/AuthenticAMD.bin", "init")
	initramfs.WriteString("\x28\xb5\x2f\xfdcompressed")
	got, err := microcode(initramfs)
	if err != nil || len(got) != 1 || got[0].name != intel || string(got[0].data) != "update "+intel {
		t.Errorf("expected %s alone, got %+v, %v", intel, got, err)
	}
	for _, none := range []string{"\x28\xb5\x2f\xfdcompressed", "", "\x1f\x8b"} {
		if got, err := microcode(strings.NewReader(none)); len(got) != 0 || err != nil {
			t.Errorf("%q: expected nothing, got %v, %v", none, got, err)
		}
	}
	cut := early(t, intel)
	cut.Truncate(200)
	if _, err := microcode(cut); err == nil {
		t.Error("an archive that stops early was accepted")
	}
}
