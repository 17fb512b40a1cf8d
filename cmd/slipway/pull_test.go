package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
	"github.com/slipway-boot/slipway/payload/uki/ukitest"
)

// pullOf are the arguments that pull an image to a place.
func (r *rig) pullOf(ref, output string, more ...string) []string {
	return append([]string{"pull", ref, "--policy", r.policy, "--ca", r.ca, "--output", output}, more...)
}

// list returns the names below a directory, temporary ones too.
func list(t *testing.T, dir string) []string {
	t.Helper()
	names := []string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// isErofs checks a root's magic and that it is as long as it was said to be.
func isErofs(t *testing.T, name string, size int64) {
	t.Helper()
	if data := read(t, name); len(data) < 1028 || data[1024:1028] != "\xe2\xe1\xf5\xe0" || int64(len(data)) != size {
		t.Errorf("%s: expected an EROFS image of %d bytes, got %d bytes", name, size, len(data))
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o444 != 0o444 {
		t.Errorf("%s: expected a file that everybody may read, got %v, %v", name, info.Mode(), err)
	}
}

func TestPullDirectory(t *testing.T) {
	r := newRig(t)
	image := bootable(t, kargs)
	ref := r.sign(t, "os/web:1", image, oci.SignOptions{Annotations: map[string]string{"epoch": "3"}})
	dir := r.path("out")
	out := good(t, r.pullOf(ref, dir, "--json")...)
	checkKeys(t, out)
	var p pulled
	decode(t, out, &p)
	plan := planOf(t, ref, "--policy", r.policy, "--ca", r.ca)
	if p.Reference != ref || string(p.Digest) != digest(t, image) || p.KernelRelease != imageRelease || p.Fetched != plan.Fetch || p.Layers != 2 || len(p.Signers) != 2 || p.Signers[0].Annotations["epoch"] != "3" {
		t.Errorf("got %+v", p)
	}
	if got := list(t, dir); !slices.Equal(got, []string{"cmdline", "image.json", "initramfs.img", "root.erofs", "vmlinuz"}) {
		t.Errorf("got %q", got)
	}
	isErofs(t, filepath.Join(dir, "root.erofs"), p.RootSize)
	for name, want := range map[string]string{
		"vmlinuz": string(ukitest.Kernel(imageRelease)), "initramfs.img": "initramfs", "image.json": out,
		"cmdline": "console=ttyS0,115200 root=LABEL=disk quiet\n",
	} {
		if got := read(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s: expected %.300q, got %.300q", name, want, got)
		}
	}
	if len(p.Kargs) != 3 || p.Kargs[2].Value != "quiet" || p.Kargs[2].Origin != "20-quiet.toml" {
		t.Errorf("kernel arguments: got %+v", p.Kargs)
	}
}

func TestPullFile(t *testing.T) {
	r := newRig(t)
	image := bootable(t, nil)
	ref := r.signed(t, "os/web:1", image)
	dir := t.TempDir()
	file := filepath.Join(dir, "web.erofs")
	out := good(t, r.pullOf(ref, file)...)
	for _, want := range []string{"reference  " + ref + "\ndigest     " + digest(t, image) + "\n", "\nfetched    ", " in 2 layers\n", "\nkernel     " + imageRelease + "\n", "\nwritten    " + file + "\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q, got\n%s", want, out)
		}
	}
	var p pulled
	decode(t, good(t, r.pullOf(ref, file, "--force", "--json")...), &p)
	isErofs(t, file, p.RootSize)
	if got := list(t, dir); !slices.Equal(got, []string{"web.erofs"}) {
		t.Errorf("expected the root and nothing else, got %q", got)
	}
}

// TestPullExisting: what exists stays as it is without --force.
func TestPullExisting(t *testing.T) {
	r := newRig(t)
	ref := r.signed(t, "os/web:1", bootable(t, nil))
	const taken, hint = "output: .*: file already exists", "add --force to overwrite it"
	file := write(t, filepath.Join(t.TempDir(), "web.erofs"), "mine")
	bad(t, exitFailed, taken, hint, r.pullOf(ref, file)...)
	if got := read(t, file); got != "mine" {
		t.Errorf("got %q", got)
	}
	good(t, r.pullOf(ref, file, "--force")...)
	isErofs(t, file, int64(len(read(t, file))))

	dir := t.TempDir()
	for _, name := range []string{"vmlinuz", "notes"} {
		write(t, filepath.Join(dir, name), "mine")
	}
	bad(t, exitFailed, taken, hint, r.pullOf(ref, dir)...)
	if got := list(t, dir); !slices.Equal(got, []string{"notes", "vmlinuz"}) || read(t, filepath.Join(dir, "vmlinuz")) != "mine" {
		t.Errorf("got %q", got)
	}
	good(t, r.pullOf(ref, dir, "--force")...)
	if got := list(t, dir); len(got) != 6 || read(t, filepath.Join(dir, "notes")) != "mine" || read(t, filepath.Join(dir, "vmlinuz")) == "mine" {
		t.Errorf("got %q", got)
	}
	// A directory keeps its name, whatever it is.
	named := filepath.Join(t.TempDir(), "dir.erofs")
	if err := os.Mkdir(named, 0o755); err != nil {
		t.Fatal(err)
	}
	good(t, r.pullOf(ref, named)...)
	if got := list(t, named); len(got) != 5 {
		t.Errorf("got %q", got)
	}
}

// TestPullLeavesNothing has one row for each way to fail: before, while and
// after bytes arrive. Nothing is left, and what was there stays.
func TestPullLeavesNothing(t *testing.T) {
	r := newRig(t)
	image := bootable(t, nil)
	ref := r.signed(t, "os/web:1", image)
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	layer := "/blobs/" + digest(t, layers[1])
	for _, test := range []struct {
		name, message, hint string
		ref                 string
		fault               ocitest.Fault
	}{
		{"corrupt layer", "extract: layer 2 of 2 .*digest mismatch", "push the image again", ref, ocitest.Fault{Path: layer, Corrupt: true}},
		{"layer is gone", "extract: layer 2 of 2 .*not found", "check the reference", ref, ocitest.Fault{Path: layer, Status: 404}},
		{"not signed", "not signed", "slipway sign", r.Push(t, "os/unsigned:1", image), ocitest.Fault{}},
		{"not bootable", "extract: not a bootable image", "boot a bootc image", r.signed(t, "os/data:1", ocitest.Image(t, ocitest.Spec{})), ocitest.Fault{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.fault.Path != "" {
				r.Fault(test.fault)
				defer r.Heal()
			}
			dir := t.TempDir()
			kept := filepath.Join(dir, "kept")
			if err := os.Mkdir(kept, 0o755); err != nil {
				t.Fatal(err)
			}
			old := write(t, filepath.Join(kept, "old.erofs"), "old")
			for _, output := range []string{filepath.Join(dir, "new"), kept, filepath.Join(dir, "root.erofs"), old} {
				a := slipway(t, r.pullOf(test.ref, output, "--force")...)
				a.refused(t, exitFailed, test.message, test.hint, output)
			}
			if got := list(t, dir); !slices.Equal(got, []string{"kept", "kept/old.erofs"}) || read(t, old) != "old" {
				t.Errorf("expected what was there, got %q", got)
			}
		})
	}
}

// TestPullInterrupted: a signal while a layer stalls leaves nothing either.
func TestPullInterrupted(t *testing.T) {
	r := newRig(t)
	image := bootable(t, nil)
	ref := r.signed(t, "os/web:1", image)
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r.Fault(ocitest.Fault{Path: "/blobs/" + digest(t, layers[1]), Stall: true})
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errors strings.Builder
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, r.pullOf(ref, filepath.Join(dir, "new")), streams{os.Stdin, &out, &errors})
	}()
	wait(t, "the first bytes", func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "new/.slipway-pull-*/root.erofs"))
		return err == nil && len(found) == 1
	})
	cancel()
	if got := <-code; got != exitFailed || errors.String() != "slipway: error: interrupted\n" {
		t.Errorf("got exit code %d, %q", got, errors.String())
	}
	if got := list(t, dir); len(got) != 0 {
		t.Errorf("expected nothing, got %q", got)
	}
}

func TestPullWrongPlaces(t *testing.T) {
	r := newRig(t)
	ref := r.signed(t, "os/web:1", bootable(t, nil))
	file := write(t, r.path("file"), "mine")
	if err := os.Mkdir(r.path("full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.path("full/vmlinuz"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		code                  int
		output, message, hint string
	}{
		{exitUsage, "", `--output: expected DIR or FILE.erofs, got ""`, "see slipway pull --help"},
		{exitUsage, "oci:web", `--output: expected DIR or FILE.erofs, got "oci:web"`, "see slipway pull --help"},
		{exitFailed, file, `expected a directory, or a file whose name ends in .erofs`, "name another place"},
		{exitFailed, r.path("full"), `vmlinuz: expected a file, got a directory`, ""},
		{exitFailed, r.path("gone/out"), `output: mkdir .*no such file or directory`, ""},
		{exitFailed, r.path("gone/web.erofs"), `output: .*no such file or directory`, ""},
	} {
		bad(t, test.code, test.message, test.hint, r.pullOf(ref, test.output, "--force")...)
	}
	if got := read(t, file); got != "mine" {
		t.Errorf("got %q", got)
	}
}

// TestStagingRace: a file that comes while the image is fetched is not lost,
// and neither half of a set stays.
func TestStagingRace(t *testing.T) {
	dir := t.TempDir()
	names := []pulledName{{"a", "a"}, {"b", "b"}}
	s, err := newStaging(destination{dir, names, false})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if err := s.write(n.staged, strings.NewReader("ours")); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "b"), "theirs")
	if _, err := s.publish(); err == nil || !strings.Contains(err.Error(), "file already exists") {
		t.Errorf("got %v", err)
	}
	s.discard()
	if got := list(t, dir); !slices.Equal(got, []string{"b"}) || read(t, filepath.Join(dir, "b")) != "theirs" {
		t.Errorf("got %q", got)
	}
}
