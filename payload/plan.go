package payload

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
)

// Plan is everything the loader would do for a reference, computed without
// doing it.
type Plan struct {
	Reference     string        `json:"reference"`
	Digest        string        `json:"digest"`             // of the manifest the reference names
	Instance      string        `json:"instance,omitempty"` // of the platform's manifest, if that is an index
	Signers       []oci.Signer  `json:"signers"`
	Findings      []oci.Finding `json:"findings"` // every signature looked at and its verdict
	Policy        string        `json:"policy_sha256"`
	Layers        []oci.Layer   `json:"layers"`
	Fetch         int64         `json:"bytes_to_fetch"` // all layers
	KernelRelease string        `json:"kernel_release"`
	KernelSize    int64         `json:"kernel_size"`
	Root          string        `json:"root"` // direct or initrd
	RootSize      int64         `json:"root_size"`
	Memory        int64         `json:"memory_needed"` // bytes of RAM, estimated
	Cmdline       string        `json:"cmdline"`
	Args          []Arg         `json:"cmdline_args"`
}

// PlanOptions says for which payload to plan.
type PlanOptions struct {
	Client *oci.Client
	Policy *oci.Policy
	Conf   *config.Config
	Now    time.Time // of the machine; zero means this one's clock
	Dir    string    // for the root while it is looked at; empty means os.TempDir
}

// baseMemory is what two kernels, the loader and the booted system's first
// programs need beside the image, and memoryCopies how often the image is in
// memory at the worst moment (docs/image-format.md has the measurement).
const (
	baseMemory   = 320 << 20
	memoryCopies = 1 + copiesInKernel
)

// MakePlan fetches, verifies and extracts ref as the loader would, and says
// what it would go on to do. Its errors are the loader's.
func MakePlan(ctx context.Context, ref oci.Reference, o PlanOptions) (*Plan, error) {
	signed, err := o.Client.Fetch(ctx, ref)
	if err != nil {
		return nil, err
	}
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	image, err := o.Policy.Verify(signed, oci.VerifyOptions{Now: now, ClockTrusted: true})
	if err != nil {
		return nil, err
	}
	root, err := os.CreateTemp(o.Dir, "slipway-root-")
	if err != nil {
		return nil, err
	}
	defer root.Close()
	defer os.Remove(root.Name())
	b, err := o.Client.Extract(ctx, image, root)
	if err != nil {
		return nil, err
	}
	args, line, err := NextCmdline(b.Kargs, o.Conf, o.Policy.Boot(), image.Digest())
	if err != nil {
		return nil, fmt.Errorf("hand off: %w", err)
	}
	p := &Plan{
		Reference: ref.String(), Digest: string(image.Digest()), Policy: o.Policy.Hash(),
		Signers: image.Signers(), Findings: image.Findings(), Layers: image.Layers(), Fetch: b.Fetched,
		KernelRelease: b.Release, KernelSize: b.Kernel.Size(), Root: RootWay(o.Conf), RootSize: b.RootSize,
		Memory: baseMemory + memoryCopies*(b.RootSize+b.Kernel.Size()), Cmdline: line, Args: args,
	}
	if image.Instance() != image.Digest() {
		p.Instance = string(image.Instance())
	}
	if p.Root == rootInitrd {
		p.Memory += memoryCopies * b.Initramfs.Size()
	}
	return p, nil
}
