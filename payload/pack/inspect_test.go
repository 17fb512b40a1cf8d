package pack

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/payload/image/imagetest"
	"github.com/slipway-boot/slipway/payload/uki"
	"github.com/slipway-boot/slipway/payload/uki/ukitest"
)

// TestInspectParts looks at the parts of a payload one by one.
func TestInspectParts(t *testing.T) {
	parts := imagetest.New(t)
	r := mustBuild(t, options(parts, UKI, filepath.Join(t.TempDir(), "payload")))
	image := read(t, r.Output)
	m, err := uki.Parse(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	initrd, err := io.ReadAll(m.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "part")
	write(t, file, initrd)
	i := mustInspect(t, file)
	if i.Format != Initramfs || !i.Payload || i.KernelRelease != imagetest.Release || len(i.Modules) != 4 || i.Policy == nil || i.SBOM != nil {
		t.Errorf("initramfs: got %+v", i)
	}
	write(t, file, ukitest.Kernel("6.9.9"))
	if i := mustInspect(t, file); i.Format != Kernel || i.KernelRelease != "6.9.9" || i.Payload {
		t.Errorf("kernel: got %+v", i)
	}
	foreign, err := uki.Assemble(uki.Spec{Stub: ukitest.Stub(ukitest.Layout{Spare: 8}), Linux: ukitest.Kernel("6.9.9"), Cmdline: "quiet"})
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, foreign)
	if i := mustInspect(t, file); i.Format != UKI || i.Payload || i.Cmdline != "quiet" || !i.Built.IsZero() {
		t.Errorf("UKI of somebody else: got %+v", i)
	}
}

// TestInspectSBOM tells an SBOM of other bytes from the right one.
func TestInspectSBOM(t *testing.T) {
	parts := imagetest.New(t)
	r := mustBuild(t, options(parts, Disk, filepath.Join(t.TempDir(), "payload")))
	f, err := os.OpenFile(r.Output, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{1}, r.Size-600<<10); err != nil { // free space behind the partition
		t.Fatal(err)
	}
	f.Close()
	if i := mustInspect(t, r.Output); i.SBOM == nil || i.SBOM.Matches {
		t.Errorf("got %+v", i.SBOM)
	}
	write(t, r.SBOM, []byte("{"))
	if _, err := Inspect(r.Output); err == nil || !strings.Contains(err.Error(), "SPDX") {
		t.Errorf("damaged SBOM: got %v", err)
	}
}

func TestInspectRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"nothing": "", "text": strings.Repeat("hello\n", 1000), "PE": string(ukitest.Stub(ukitest.Layout{})),
		"GPT": strings.Repeat("\x00", 512) + "EFI PART" + strings.Repeat("\x00", 4096),
	} {
		file := filepath.Join(dir, name)
		write(t, file, []byte(text))
		if i, err := Inspect(file); err == nil {
			t.Errorf("%s: got %+v", name, i)
		} else if (name == "nothing" || name == "text") && !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: got %v, want ErrUnknown", name, err)
		}
	}
	if _, err := Inspect(filepath.Join(dir, "gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	if _, err := Inspect(dir); err == nil {
		t.Error("a directory: no error")
	}
}

func FuzzInspect(f *testing.F) {
	kernel := ukitest.Kernel("6.9.9")
	foreign, err := uki.Assemble(uki.Spec{Stub: ukitest.Stub(ukitest.Layout{Spare: 8}), Linux: kernel, Initrd: []byte("070701"), Cmdline: "quiet"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(kernel)
	f.Add(foreign)
	f.Fuzz(func(t *testing.T, in []byte) {
		var i Info
		if err := i.read(bytes.NewReader(in), int64(len(in))); err == nil && i.Format == "" {
			t.Error("no error and no format")
		}
	})
}
