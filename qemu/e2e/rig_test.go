//go:build vm

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/image"
	"github.com/slipway-boot/slipway/qemu"
	"github.com/slipway-boot/slipway/qemu/lab"
	"github.com/slipway-boot/slipway/qemu/lab/tiny"
)

// Limits of one test's parts under emulation on a busy machine. They end
// hangs; nothing is measured by them.
const (
	bootLimit   = 4 * time.Minute
	refuseLimit = 3 * time.Minute
)

// logicalName is the registry in references; mirrors lead to the lab's.
const logicalName = "registry.slipway.test"

// rig is what all tests of a run share.
type rig struct {
	lab      *lab.Lab
	dir      string
	ca       *lab.CA
	registry *lab.Registry
	kernel   lab.Kernel
	init     string
	key      *oci.PrivateKey // the policy's
	other    *oci.PrivateKey // somebody else's
	payload  string          // initramfs of the payload all tests use
}

var (
	rigOnce sync.Once
	theRig  *rig
	rigErr  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if theRig != nil {
		theRig.registry.Stop()
		os.RemoveAll(theRig.dir)
	}
	os.Exit(code)
}

// setup returns the rig; the first caller builds it.
func setup(t *testing.T) *rig {
	t.Helper()
	rigOnce.Do(func() { theRig, rigErr = newRig(context.Background()) })
	if rigErr != nil {
		t.Fatal(rigErr)
	}
	return theRig
}

func newRig(ctx context.Context) (*rig, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	r := &rig{lab: &lab.Lab{Cache: cache, Progress: func(line string) { fmt.Fprintln(os.Stderr, "lab:", line) }}}
	if r.dir, err = os.MkdirTemp("", "slipway-e2e-"); err != nil {
		return nil, err
	}
	if r.kernel, err = r.lab.HostKernel(ctx); err != nil {
		return nil, err
	}
	if r.ca, err = lab.NewCA(r.dir, time.Now().Add(-24*time.Hour), time.Now().AddDate(0, 1, 0)); err != nil {
		return nil, err
	}
	if r.registry, err = r.lab.StartRegistry(ctx, filepath.Join(r.dir, "registry"), r.ca); err != nil {
		return nil, err
	}
	for _, key := range []**oci.PrivateKey{&r.key, &r.other} {
		if *key, err = oci.GenerateKey(); err != nil {
			return nil, err
		}
	}
	if r.init, err = makeBuild(ctx, "slipway-init"); err != nil {
		return nil, err
	}
	return r, r.buildPayload()
}

const policyJSON = `{"default": [{"type": "reject"}], "transports": {"docker": {"registry.slipway.test": [
  {"type": "sigstoreSigned", "keyPath": "rig.pub", "signedIdentity": {"type": "matchRepository"}}]}}}`

const bootPolicy = "schema = 1\n[allow]\nkargs = [\"tiny.*\", \"" + qemu.NoTimerCheck + "\"]\n"

// buildPayload makes the one initramfs; tests configure it by command line.
func (r *rig) buildPayload() error {
	for name, data := range map[string][]byte{"policy.json": []byte(policyJSON), "boot-policy.toml": []byte(bootPolicy), "rig.pub": r.key.Public().PEM()} {
		if err := os.WriteFile(filepath.Join(r.dir, name), data, 0o644); err != nil {
			return err
		}
	}
	policy, err := oci.LoadPolicy(filepath.Join(r.dir, "policy.json"))
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(r.registry.CAFile())
	if err != nil {
		return err
	}
	config := fmt.Sprintf("schema = 1\nreference = \"%s/none:none\"\nwait = \"1s\"\nattempts = 1\n[mirrors]\n%q = [%q]\n", logicalName, logicalName, r.registry.GuestAddr())
	r.payload = filepath.Join(r.dir, "payload.cpio.zst")
	program, err := os.ReadFile(r.init)
	if err != nil {
		return err
	}
	f, err := os.Create(r.payload)
	if err != nil {
		return err
	}
	_, err = image.Initramfs(f, image.Spec{
		Init: program, Policy: policy, Config: []byte(config), CA: ca,
		Info:   layout.PayloadInfo{Version: "test", Built: time.Now().Unix(), Demo: true},
		Kernel: os.DirFS(r.kernel.Tree), Release: r.kernel.Release,
	})
	return errors.Join(err, f.Close())
}

// repo returns a repository of the test's own.
func repo(t *testing.T) string {
	id := make([]byte, 4)
	_, _ = rand.Read(id)
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	return name + "-" + hex.EncodeToString(id)
}

// push builds nothing: it uploads the image as repo:test and returns the
// logical reference and the digest.
func (r *rig) push(t *testing.T, what lab.Pushable) (string, string) {
	t.Helper()
	name := repo(t)
	digest, err := r.registry.Push(t.Context(), name, "test", what)
	if err != nil {
		t.Fatal(err)
	}
	return logicalName + "/" + name + ":test", digest
}

func (r *rig) tiny(t *testing.T, o lab.TinyOptions) lab.Pushable {
	t.Helper()
	img, err := r.lab.TinyImage(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// sign signs reference with key in both formats.
func (r *rig) sign(t *testing.T, reference string, key *oci.PrivateKey) {
	t.Helper()
	name := strings.TrimPrefix(reference, logicalName)
	ref, err := oci.ParseReference(r.registry.Addr() + name)
	if err != nil {
		t.Fatal(err)
	}
	identity, _, _ := strings.Cut(reference, ":")
	o := oci.SignOptions{Identity: identity, Annotations: map[string]string{"ref": reference}}
	if _, err := oci.Sign(t.Context(), &oci.Client{Roots: r.ca.Pool()}, ref, key, o); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) client() *oci.Client {
	return &oci.Client{Roots: r.ca.Pool(), Mirrors: []oci.Mirror{{Prefix: logicalName, Location: r.registry.Addr()}}}
}

// pushSigned pushes and signs a tiny image.
func (r *rig) pushSigned(t *testing.T, o lab.TinyOptions) string {
	t.Helper()
	reference, _ := r.push(t, r.tiny(t, o))
	r.sign(t, reference, r.key)
	return reference
}

// machine is the payload with the words added to its command line.
func (r *rig) machine(reference string, words ...string) qemu.Options {
	words = append([]string{"console=ttyS0", qemu.NoTimerCheck, "slipway.kargs=" + qemu.NoTimerCheck, "slipway.reference=" + reference}, words...)
	return qemu.Options{
		Kernel: r.kernel.Image, Initrd: r.payload, Cmdline: strings.Join(words, " "),
		MemoryMiB: 768, NICs: []qemu.NIC{{}},
	}
}

// boots runs the machine until the tiny image has powered it off, and returns
// what that reported.
func boots(t *testing.T, o qemu.Options) (*qemu.VM, tiny.Report) {
	t.Helper()
	vm := qemu.StartT(t, o)
	vm.WaitT(t, bootLimit, qemu.Shutdown)
	raw, err := vm.Report()
	if err != nil {
		t.Fatal(err)
	}
	var report tiny.Report
	if err := json.Unmarshal(raw, &report); err != nil {
		t.Fatalf("report: %v: %q", err, raw)
	}
	for _, problem := range report.Err {
		t.Errorf("the guest says: %s", problem)
	}
	return vm, report
}
