package pack

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/disk"
	"github.com/slipway-boot/slipway/payload/image"
	"github.com/slipway-boot/slipway/payload/uki"
)

// Formats of payloads. Build makes the first two; Inspect tells all of them.
const (
	UKI       = "uki"       // one EFI program
	Disk      = "disk"      // GPT image with the UKI on its EFI system partition
	Initramfs = "initramfs" // cpio, compressed or not
	Kernel    = "kernel"    // a bare bzImage
)

// Formats lists what Build can make.
func Formats() []string { return []string{UKI, Disk} }

const (
	// DefaultStub is where Debian's package systemd-boot-efi has its stub.
	DefaultStub = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"

	// DefaultCmdline talks to the screen and to the first serial port; the last
	// one named becomes /dev/console. The kernel itself is quiet: 600 lines take
	// four seconds at 115200 bit/s. After a panic the machine tries again.
	DefaultCmdline = "console=tty0 console=ttyS0,115200 quiet panic=30"

	arch = "amd64"
)

const (
	maxInit = 256 << 20
	maxText = 4 << 20
	maxStub = 16 << 20
)

// Options says what to build. Format, Output, Init, PolicyFile, ConfigFile and
// CAFile are required, and one of KernelImage and KernelTree.
type Options struct {
	Format string // one of Formats
	Output string // the payload; the SBOM goes beside it, under SBOMPath

	Init        string   // the static program of both lives
	KernelImage string   // bzImage; "" means the one in KernelTree/boot
	KernelTree  string   // root of an unpacked kernel package; "" means no modules
	Release     string   // what the kernel's release has to be; "" means any
	Modules     []string // modules beside image.DefaultModules
	Bare        bool     // leave image.DefaultModules out

	PolicyFile string // policy.json, with boot-policy.toml beside it
	ConfigFile string // slipway.toml
	CAFile     string // TLS roots in PEM

	Stub    string    // EFI stub; "" means DefaultStub
	Cmdline string    // kernel command line; "" means DefaultCmdline
	Built   time.Time // time of everything inside; zero means now
	Version string    // slipway's
	Demo    bool      // built with throw-away keys: the payload says so on every boot

	Progress func(step string) // told what begins; may be nil
}

// Result describes what was built.
type Result struct {
	Format   string             `json:"format"`
	Output   string             `json:"output"`
	SBOM     string             `json:"sbom"`
	Size     int64              `json:"size"`
	SHA256   string             `json:"sha256"`
	Release  string             `json:"kernel_release"`
	Cmdline  string             `json:"cmdline"`
	Policy   string             `json:"policy_hash"`
	Parts    []image.Part       `json:"parts"` // stub, kernel, initramfs, then what is in it before compression
	Modules  []image.ModuleFile `json:"modules"`
	Warnings []string           `json:"warnings,omitempty"`
}

// SBOMPath returns where the SBOM of a payload lies.
func SBOMPath(payload string) string { return payload + ".spdx.json" }

// Build makes a payload. Errors: ErrFormat, ErrKernel, those of image.Initramfs,
// uki.Assemble and disk.Write, those of the files, and the context's.
func Build(ctx context.Context, o Options) (*Result, error) {
	o.Stub, o.Cmdline = cmp.Or(o.Stub, DefaultStub), cmp.Or(o.Cmdline, DefaultCmdline)
	if o.Built.IsZero() {
		o.Built = time.Now()
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	b := &build{Options: o}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"reading policy, configuration and kernel", b.read},
		{"packing the initramfs", b.initramfs},
		{"assembling the UKI", b.uki},
		{"writing " + filepath.Base(o.Output), b.write},
	} {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("payload: %s: %w", step.name, err)
		}
		o.Progress(step.name)
		if err := step.do(); err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
	}
	return &b.result, nil
}

// build is what the steps of Build hand on.
type build struct {
	Options
	policy           *oci.Policy
	kernel           *kernel
	init, config, ca []byte
	stub             []byte
	initrd           []byte
	packed           *image.Result
	image            []byte // the UKI
	result           Result
}

func (b *build) read() error {
	if !slices.Contains(Formats(), b.Format) {
		return fmt.Errorf("%w: %q: expected %s", ErrFormat, b.Format, strings.Join(Formats(), " or "))
	}
	var err error
	if b.policy, err = oci.LoadPolicy(b.PolicyFile); err != nil {
		return err
	}
	for _, f := range []struct {
		what, path string
		limit      int64
		to         *[]byte
	}{
		{"configuration", b.ConfigFile, maxText, &b.config},
		{"TLS roots", b.CAFile, maxText, &b.ca},
		{"init", b.Init, maxInit, &b.init},
		{"EFI stub (Debian package systemd-boot-efi)", b.Stub, maxStub, &b.stub},
	} {
		if *f.to, err = readFile(f.what, f.path, f.limit); err != nil {
			return err
		}
	}
	if b.kernel, err = openKernel(b.Options); err != nil {
		return err
	}
	_, err = uki.Assemble(b.ukiSpec()) // without an initramfs: whether all else fits together
	return err
}

func (b *build) initramfs() error {
	spec := image.Spec{
		Init: b.init, Policy: b.policy, Config: b.config, CA: b.ca, ConfigName: b.ConfigFile, Arch: arch,
		Info:   layout.PayloadInfo{Version: b.Version, Built: b.Built.Unix(), Demo: b.Demo},
		Kernel: b.kernel.tree, Release: b.kernel.Release, Modules: b.Modules, Bare: b.Bare,
	}
	var packed bytes.Buffer
	var err error
	if b.packed, err = image.Initramfs(&packed, spec); err != nil {
		return err
	}
	b.initrd = packed.Bytes()
	return nil
}

func (b *build) uki() error {
	var err error
	b.image, err = uki.Assemble(b.ukiSpec())
	return err
}

func (b *build) ukiSpec() uki.Spec {
	return uki.Spec{
		Stub: b.stub, Linux: b.kernel.data, Initrd: b.initrd, Cmdline: b.Cmdline, Built: b.Built,
		OSRelease: osRelease(b.Version, b.kernel.Release),
	}
}

// osRelease names the payload in boot menus.
func osRelease(version, release string) string {
	return fmt.Sprintf("ID=slipway\nNAME=\"slipway\"\nVERSION_ID=%q\nPRETTY_NAME=\"slipway %s on Linux %s\"\n", version, version, release)
}

// write puts payload and SBOM in place.
func (b *build) write() error {
	out, err := newPending(b.Output)
	if err != nil {
		return err
	}
	defer out.discard()
	if b.Format == Disk {
		err = disk.Write(out.f, disk.Options{Built: b.Built, Files: []disk.File{
			{Path: disk.BootPath, Data: b.image}, {Path: layout.ESPConfig, Data: b.config},
		}})
	} else {
		_, err = out.f.Write(b.image)
	}
	if err != nil {
		return err
	}
	sum := sha256.New()
	size, err := out.copyTo(sum)
	if err != nil {
		return err
	}
	b.finish(size, hex.EncodeToString(sum.Sum(nil)))
	sbom, err := newPending(b.result.SBOM)
	if err != nil {
		return err
	}
	defer sbom.discard()
	text, err := b.sbom()
	if err != nil {
		return err
	}
	if _, err := sbom.f.Write(text); err != nil {
		return err
	}
	if err := sbom.commit(); err != nil {
		return err
	}
	return out.commit()
}

func (b *build) finish(size int64, sum string) {
	b.result = Result{
		Format: b.Format, Output: b.Output, SBOM: SBOMPath(b.Output), Size: size, SHA256: sum,
		Release: b.kernel.Release, Cmdline: b.Cmdline, Policy: b.policy.Hash(), Modules: b.packed.Modules, Warnings: b.packed.Warnings,
		Parts: []image.Part{
			{Name: "stub", Size: int64(len(b.stub))},
			{Name: "kernel", Size: int64(len(b.kernel.data))},
			{Name: "initramfs", Size: int64(len(b.initrd))},
		},
	}
	b.result.Parts = append(b.result.Parts, unpackedParts(b.packed.Parts)...)
	if b.kernel.origin.Source == "" {
		b.result.Warnings = append(b.result.Warnings, "the kernel's package is not known, so the SBOM cannot say where its source is")
	}
}

// unpackedParts marks parts that are counted before compression.
func unpackedParts(parts []image.Part) []image.Part {
	var list []image.Part
	for _, p := range parts {
		list = append(list, image.Part{Name: "initramfs: " + p.Name + ", unpacked", Size: p.Size})
	}
	return list
}
