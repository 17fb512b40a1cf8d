//go:build vm

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	reader "github.com/erofs/go-erofs"

	"github.com/slipway-boot/slipway/internal/cpio"
	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/qemu"
	"github.com/slipway-boot/slipway/qemu/lab/tiny"
)

// TestMount (rows 4 and 7): what two kernels see in the mounted root is, inode
// for inode, what a reader of the format by other people finds in it: the
// image's own kernel behind the jump, and the payload's older one, started
// with the runtime and the root as a loader would leave them.
func TestMount(t *testing.T) {
	t.Parallel()
	r := setup(t)
	img, names := oddImage(t, r)
	reference, _ := r.push(t, img)
	r.sign(t, reference, r.key)
	file, release := r.extract(t, reference)
	if out, err := exec.Command("fsck.erofs", "--extract", file).CombinedOutput(); err != nil || strings.Contains(string(out), "<E>") {
		t.Errorf("fsck.erofs (package erofs-utils): %v: %s", err, out)
	}
	want := imageLines(t, file)
	for _, name := range names {
		if prefix := fmt.Sprintf("%+q ", name); !slices.ContainsFunc(want, func(line string) bool { return strings.HasPrefix(line, prefix) }) {
			t.Errorf("the image has no %s", prefix)
		}
	}
	for _, tt := range []struct {
		name, release string
		machine       qemu.Options
	}{
		{"ImageKernel", release, r.machine(reference)},
		{"PayloadKernel", r.kernel.Release, r.runtime(t, file)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got := boots(t, tt.machine)
			if got.Release != tt.release {
				t.Errorf("kernel: expected %s, got %s", tt.release, got.Release)
			}
			if m, _ := got.Mount("/"); m.FSType != "erofs" {
				t.Errorf("/: expected erofs, got %+v", m)
			}
			compareLines(t, want, got.Walk)
			t.Logf("%s: %d inodes compared", got.Release, len(got.Walk))
		})
	}
}

// extract does what the loader does up to row 4, into a file.
func (r *rig) extract(t *testing.T, reference string) (file, release string) {
	t.Helper()
	ref, err := oci.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := oci.LoadPolicy(filepath.Join(r.dir, "policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := r.client().Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	image, err := policy.Verify(signed, oci.VerifyOptions{Now: time.Now(), ClockTrusted: true})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "root.erofs"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := r.client().Extract(t.Context(), image, f)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != b.RootSize {
		t.Fatalf("%s: expected %d bytes, got %v, %v", f.Name(), b.RootSize, info, err)
	}
	return f.Name(), b.Release
}

// imageLines describes the inodes of an image with go-erofs.
func imageLines(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := reader.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	var list []tiny.Inode
	err = fs.WalkDir(img, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		i, err := imageInode(img, name, info.Sys().(*reader.Stat))
		list = append(list, i)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tiny.WalkLines(list)
}

func imageInode(img fs.FS, name string, st *reader.Stat) (tiny.Inode, error) {
	i := tiny.Inode{Path: path.Join("/", name), Ino: uint64(st.Ino), Mode: st.Mode, UID: st.UID, GID: st.GID, Size: st.Size,
		Mtime: time.Unix(int64(st.Mtime), int64(st.MtimeNs)), Links: uint64(st.Nlink), Rdev: uint64(st.Rdev), Xattrs: map[string]string{}}
	for attr, value := range st.Xattrs {
		i.Xattrs[strings.TrimSuffix(attr, ".")] = value // it calls ACLs system.posix_acl_access.
	}
	var err error
	switch st.Mode.Type() {
	case fs.ModeSymlink:
		i.Target, err = fs.ReadLink(img, name)
	case 0:
		var f fs.File
		if f, err = img.Open(name); err != nil {
			return i, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		err = errors.Join(err, f.Close())
		i.SHA256 = hex.EncodeToString(h.Sum(nil))
	}
	return i, err
}

// shown is how many differences a failure tells.
const shown = 10

// compareLines tells the first lines that only one of the two lists has.
func compareLines(t *testing.T, want, got []string) {
	t.Helper()
	for _, side := range []struct {
		what     string
		has, not []string
	}{{"only in the image", want, got}, {"only in the mount", got, want}} {
		other := map[string]bool{}
		for _, line := range side.not {
			other[line] = true
		}
		lines := slices.DeleteFunc(slices.Clone(side.has), func(line string) bool { return other[line] })
		for _, line := range lines[:min(len(lines), shown)] {
			t.Errorf("%s: %s", side.what, line)
		}
		if len(lines) > shown {
			t.Errorf("%s: %d more", side.what, len(lines)-shown)
		}
	}
	if len(want) != len(got) {
		t.Errorf("expected %d inodes, got %d", len(want), len(got))
	}
}

// runtime is a machine on the payload's kernel that wakes up as the second
// life of /init, with a root of its own choice.
func (r *rig) runtime(t *testing.T, root string) qemu.Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "runtime.cpio")
	if err := r.writeRuntime(file, root); err != nil {
		t.Fatal(err)
	}
	return qemu.Options{
		Kernel: r.kernel.Image, Initrd: file, Cmdline: "console=ttyS0 tiny.walk " + qemu.NoTimerCheck, MemoryMiB: 768,
	}
}

func (r *rig) writeRuntime(file, root string) error {
	tree := os.DirFS(r.kernel.Tree)
	needed := []string{"erofs", "loop", "overlay"}
	index, err := kmod.Scan(tree, r.kernel.Modules, needed...)
	if err != nil {
		return err
	}
	modules, err := index.Closure(needed...)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	h := layout.Handoff{Schema: layout.HandoffSchema, Root: "direct", Release: r.kernel.Release}
	for k, module := range modules {
		name := fmt.Sprintf("%02d-%s", k, path.Base(kmod.PlainPath(module)))
		h.Modules = append(h.Modules, name)
		if files[path.Join(layout.HandoffModules, name)], err = index.Read(module); err != nil {
			return err
		}
	}
	var errs [4]error
	files[layout.HandoffOptions], errs[0] = json.Marshal(h)
	files[layout.HandoffReport], errs[1] = report.Report{}.Marshal()
	files[layout.HandoffRoot], errs[2] = os.ReadFile(root)
	files[layout.Init], errs[3] = os.ReadFile(r.init)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	w := cpio.NewWriter(out, time.Unix(0, 0))
	for name, data := range files {
		if err := w.File(name, 0o755, data); err != nil {
			break // w keeps it for Close
		}
	}
	return errors.Join(w.Close(), out.Close())
}
