package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/slipway-boot/slipway/internal/cpio"
	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
)

// Spec says what goes into an initramfs.
type Spec struct {
	Init   []byte      // the static program of both lives
	Policy *oci.Policy // what may boot
	Config []byte      // slipway.toml
	CA     []byte      // TLS roots in PEM
	Info   layout.PayloadInfo

	ConfigName string // of the configuration in errors; "" means slipway.toml
	Arch       string // of Init; "" means amd64

	Kernel  fs.FS    // root of an unpacked kernel package; nil: no modules
	Release string   // the kernel's, if Kernel is there
	Modules []string // modules that have to be there
	Bare    bool     // leave DefaultModules out
}

// Part is a share of an initramfs, before compression.
type Part struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// Result describes an initramfs that was written.
type Result struct {
	Size     int64 // compressed
	Plain    int64 // bytes of memory it takes when unpacked, about
	Parts    []Part
	Modules  []ModuleFile
	Warnings []string
}

// ModuleFile is a module in an initramfs.
type ModuleFile struct {
	Name    string `json:"name"`
	Path    string `json:"path"` // below the modules directory
	Size    int64  `json:"size"`
	License string `json:"license"`
}

// Directories that exist before anything is mounted on them.
var mountPoints = [...]string{"dev", "etc", "lib", "proc", "run", "sys", "tmp"}

// Initramfs writes an initramfs, zstd around cpio. Errors: ErrPolicy,
// ErrPrivateKey, ErrCA, ErrInit, ErrModules, config.ErrConfig.
func Initramfs(w io.Writer, s Spec) (*Result, error) {
	if s.ConfigName == "" {
		s.ConfigName = path.Base(layout.Config)
	}
	if s.Arch == "" {
		s.Arch = "amd64"
	}
	b := &builder{spec: s, result: &Result{}}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("initramfs: %w", err)
	}
	b.cpio = cpio.NewWriter(&b.plain, time.Unix(s.Info.Built, 0))
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"init", b.init},
		{"configuration", b.configuration},
		{"modules", b.modules},
	} {
		before := b.plain.Len()
		if err := step.do(); err != nil {
			return nil, fmt.Errorf("initramfs: %w", err)
		}
		b.result.Parts = append(b.result.Parts, Part{step.name, int64(b.plain.Len() - before)})
	}
	if err := b.cpio.Close(); err != nil {
		return nil, fmt.Errorf("initramfs: %w", err)
	}
	b.result.Plain = int64(b.plain.Len())
	packed, err := compress(b.plain.Bytes())
	if err != nil {
		return nil, fmt.Errorf("initramfs: %w", err)
	}
	b.result.Size = int64(len(packed))
	if _, err := w.Write(packed); err != nil {
		return nil, fmt.Errorf("initramfs: %w", err)
	}
	return b.result, nil
}

// compress is deterministic: one thread, and the whole input at hand, so that
// the frame tells its size.
func compress(plain []byte) ([]byte, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer e.Close()
	return e.EncodeAll(plain, nil), nil
}

type builder struct {
	spec   Spec
	result *Result
	plain  bytes.Buffer
	cpio   *cpio.Writer
}

// check refuses bad input before anything is made of it.
func (b *builder) check() error {
	s := b.spec
	if err := checkPolicy(s.Policy); err != nil {
		return err
	}
	certificates, err := Certificates(s.CA)
	if err != nil {
		return err
	}
	b.warn(expired(certificates, time.Unix(s.Info.Built, 0))...)
	if err := CheckConfig(s.Config, s.ConfigName); err != nil {
		return err
	}
	return checkInit(s.Init, s.Arch)
}

// CheckConfig refuses a configuration that the loader would refuse. Errors:
// ErrPrivateKey, config.ErrConfig, oci.ErrReference.
func CheckConfig(text []byte, name string) error {
	if err := CheckPublic(name, text); err != nil {
		return err
	}
	_, err := config.Parse(text, name)
	return err
}

func (b *builder) warn(text ...string) { b.result.Warnings = append(b.result.Warnings, text...) }

// init writes the program and the tree around it.
func (b *builder) init() error {
	var errs []error
	for _, dir := range mountPoints {
		errs = append(errs, b.cpio.Dir(dir, 0o755))
	}
	// The kernel opens it for /init before anything is mounted.
	errs = append(errs, b.cpio.Device("dev/console", 0o600, fs.ModeDevice|fs.ModeCharDevice, 5, 1))
	errs = append(errs, b.cpio.File(layout.Init, 0o755, b.spec.Init))
	return errors.Join(errs...)
}

// configuration writes what the loader reads.
func (b *builder) configuration() error {
	policy, boot, err := b.spec.Policy.Files()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	info, err := json.MarshalIndent(b.spec.Info, "", "  ")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{layout.PolicyJSON, policy},
		{layout.BootPolicy, boot},
		{layout.Config, b.spec.Config},
		{layout.CA, b.spec.CA},
		{layout.Payload, append(info, '\n')},
	} {
		if err := CheckPublic(f.name, f.data); err != nil {
			return err
		}
		if err := b.cpio.File(f.name, 0o644, f.data); err != nil {
			return err
		}
	}
	return nil
}

// modules writes the modules uncompressed, since all of the initramfs will be,
// and the indexes for exactly these.
func (b *builder) modules() error {
	s := b.spec
	if s.Kernel == nil {
		if len(s.Modules) > 0 {
			return fmt.Errorf("%w: %s: expected a kernel tree to take it from", ErrModules, s.Modules[0])
		}
		return nil
	}
	from, err := ModulesDir(s.Kernel, s.Release)
	if err != nil {
		return err
	}
	chosen, err := selectModules(s.Kernel, from, s.Modules, !s.Bare)
	if err != nil {
		return err
	}
	b.warn(chosen.warnings...)
	to := path.Join(layout.Modules, s.Release)
	if chosen.index == nil {
		return nil
	}
	for _, file := range chosen.paths {
		if err := b.module(chosen.index, file, to); err != nil {
			return fmt.Errorf("%w: %w", ErrModules, err)
		}
	}
	files, err := chosen.index.IndexFiles(chosen.paths)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrModules, err)
	}
	for _, f := range files {
		if err := b.cpio.File(path.Join(to, f.Name), 0o644, f.Data); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) module(index *kmod.Index, file, to string) error {
	data, err := index.Read(file)
	if err != nil {
		return err
	}
	info, err := kmod.Modinfo(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if info.Release != "" && info.Release != b.spec.Release {
		return fmt.Errorf("%s: expected a module for kernel %s, got one for %s", file, b.spec.Release, info.Release)
	}
	plain := kmod.PlainPath(file)
	b.result.Modules = append(b.result.Modules, ModuleFile{info.Name, plain, int64(len(data)), info.License})
	return b.cpio.File(path.Join(to, plain), 0o644, data)
}
