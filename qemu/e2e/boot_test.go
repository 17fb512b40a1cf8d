//go:build vm

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload"
	"github.com/slipway-boot/slipway/payload/config"
	"github.com/slipway-boot/slipway/qemu"
	"github.com/slipway-boot/slipway/qemu/lab"
	"github.com/slipway-boot/slipway/qemu/lab/tiny"
)

var stepLine = regexp.MustCompile(`(?m)^slipway: [1-7]/7 [a-z ]+: .* \([0-9.]+ s\)$`)

// TestBoot covers all seven rows: a signed image boots, its root is what the
// image holds, and it boots with the command line that plan foretold.
func TestBoot(t *testing.T) {
	t.Parallel()
	r := setup(t)
	reference := r.pushSigned(t, lab.TinyOptions{Kargs: []string{"console=ttyS0,115200", "tiny.check=hash"}})
	vm, got := boots(t, r.machine(reference))

	if n := len(stepLine.FindAllString(vm.Console(), -1)); n != 7 {
		t.Errorf("console: expected seven step lines, got %d", n)
	}
	if plan := r.plan(t, reference); got.Cmdline != plan.Cmdline || got.Release != plan.KernelRelease {
		t.Errorf("plan: expected kernel %s with %q, got %s with %q", plan.KernelRelease, plan.Cmdline, got.Release, got.Cmdline)
	}
	checkRoot(t, got)
	checkReport(t, r, got, reference)
}

// checkRoot wants every file as in the image, / read-only, /etc and /var
// writable, the latter no overlay.
func checkRoot(t *testing.T, got tiny.Report) {
	t.Helper()
	if got.Check == nil || !got.Check.Clean() {
		t.Errorf("root: %+v", got.Check)
	}
	if m, _ := got.Mount("/"); m.FSType != "erofs" {
		t.Errorf("/: expected erofs, got %+v", m)
	}
	if got.Usr.Writable || !got.Etc.Writable || got.Etc.FSType != "overlay" || !got.Var.Writable || got.Var.FSType != "tmpfs" {
		t.Errorf("expected /usr read-only, /etc a writable overlay, /var a writable tmpfs, got %+v %+v %+v", got.Usr, got.Etc, got.Var)
	}
	if got.Capability != tiny.CapXattr || !got.HardLink {
		t.Errorf("capability %q, hard link %v", got.Capability, got.HardLink)
	}
}

func checkReport(t *testing.T, r *rig, got tiny.Report, reference string) {
	t.Helper()
	boot, err := report.Parse(got.Boot)
	if err != nil {
		t.Fatal(err)
	}
	if boot.Reference != reference || len(boot.Signers) == 0 || boot.Signers[0].KeyID != r.key.Public().ID() {
		t.Errorf("boot.json: reference %q, signers %v", boot.Reference, boot.Signers)
	}
	if boot.KernelRelease != got.Release || boot.Cmdline != got.Cmdline || boot.Fetched == 0 || boot.PeakMemory == 0 || len(boot.Steps) != 5 {
		t.Errorf("boot.json: %+v", boot)
	}
	for _, v := range boot.Config {
		if v.Key == "reference" && v.Origin != "command line" || v.Key == "mirrors" && v.Origin != "built in" {
			t.Errorf("boot.json: origin of %s: got %q", v.Key, v.Origin)
		}
	}
}

func (r *rig) plan(t *testing.T, reference string) *payload.Plan {
	t.Helper()
	ref, err := oci.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := oci.LoadPolicy(filepath.Join(r.dir, "policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	conf := config.Defaults()
	conf.Kargs = []string{qemu.NoTimerCheck}
	p, err := payload.MakePlan(t.Context(), ref, payload.PlanOptions{Client: r.client(), Policy: policy, Conf: conf, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestIndex: the reference names an index with images for two machines; only
// the index is signed.
func TestIndex(t *testing.T) {
	t.Parallel()
	r := setup(t)
	var manifests []mutate.IndexAddendum
	for _, arch := range []string{"arm64", "amd64"} {
		img := r.tiny(t, lab.TinyOptions{Arch: arch}).(v1.Image)
		platform := &v1.Platform{OS: "linux", Architecture: arch}
		manifests = append(manifests, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: platform}})
	}
	index := mutate.IndexMediaType(mutate.AppendManifests(empty.Index, manifests...), types.OCIImageIndex)
	reference, digest := r.push(t, index)
	r.sign(t, reference, r.key)
	_, got := boots(t, r.machine(reference))
	boot, err := report.Parse(got.Boot)
	if err != nil {
		t.Fatal(err)
	}
	if boot.Digest != digest || boot.Instance == "" || boot.Instance == digest || boot.Signers[0].Signed != digest {
		t.Errorf("boot.json: expected digest %s and another instance, got %q, %q, %+v", digest, boot.Digest, boot.Instance, boot.Signers)
	}
}

// TestTwoCards: the first card gets no lease, and there is an NVMe disk with
// something on it that nobody touches.
func TestTwoCards(t *testing.T) {
	t.Parallel()
	r := setup(t)
	disk := filepath.Join(t.TempDir(), "disk.img")
	foreign := strings.Repeat("somebody's data ", 1<<16)
	if err := os.WriteFile(disk, []byte(foreign), 0o644); err != nil {
		t.Fatal(err)
	}
	o := r.machine(r.pushSigned(t, lab.TinyOptions{}))
	o.NICs = []qemu.NIC{{Backend: qemu.Unconnected}, {Model: qemu.E1000E}}
	o.Disks = []qemu.Disk{{Path: disk, Interface: qemu.NVMe}}
	boots(t, o)
	if data, err := os.ReadFile(disk); err != nil || string(data) != foreign {
		t.Errorf("the disk was changed: %v", err)
	}
}

// TestOldClock: a machine whose clock stands before the payload's build time
// boots all the same, because the build time is the floor.
func TestOldClock(t *testing.T) {
	t.Parallel()
	r := setup(t)
	o := r.machine(r.pushSigned(t, lab.TinyOptions{}))
	o.RTC = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	vm, _ := boots(t, o)
	if !strings.Contains(vm.Console(), "clock was at 2015-01-01, set to the payload's build time") {
		t.Error("the console does not tell of the clock")
	}
}

// TestTimeServer: a clock that is years ahead is put right by NTP.
func TestTimeServer(t *testing.T) {
	t.Parallel()
	r := setup(t)
	ntp, err := r.lab.StartNTP(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer ntp.Stop()
	o := r.machine(r.pushSigned(t, lab.TinyOptions{}), "slipway.ntp="+ntp.GuestAddr())
	o.RTC = time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC)
	vm, _ := boots(t, o)
	if !strings.Contains(vm.Console(), "time from "+ntp.GuestAddr()) {
		t.Error("the console does not tell of the time server")
	}
}

// TestFallback: the first reference does not exist, the second boots.
func TestFallback(t *testing.T) {
	t.Parallel()
	r := setup(t)
	good := r.pushSigned(t, lab.TinyOptions{})
	_, got := boots(t, r.machine(logicalName+"/none:none", "slipway.fallback="+good))
	boot, err := report.Parse(got.Boot)
	if err != nil {
		t.Fatal(err)
	}
	if boot.Reference != good || len(boot.Candidates) != 1 || boot.Candidates[0].Step != "fetch" {
		t.Errorf("boot.json: reference %q, candidates %+v", boot.Reference, boot.Candidates)
	}
}
