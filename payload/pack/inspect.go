package pack

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/disk"
	"github.com/slipway-boot/slipway/payload/image"
	"github.com/slipway-boot/slipway/payload/uki"
)

const (
	maxInitrd = 1 << 30
	maxSBOM   = 16 << 20
)

// Info is what Inspect found. Fields that do not apply are empty.
type Info struct {
	Format string `json:"format"` // UKI, Disk, Initramfs or Kernel
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`

	Payload bool      `json:"payload"`           // it is one of slipway's
	Version string    `json:"version,omitempty"` // slipway's
	Built   time.Time `json:"built,omitzero"`
	Demo    bool      `json:"demo,omitempty"` // built with throw-away keys

	KernelRelease string `json:"kernel_release,omitempty"`
	KernelVersion string `json:"kernel_version,omitempty"`
	Cmdline       string `json:"cmdline,omitempty"`
	Stub          string `json:"stub,omitempty"`
	OSRelease     string `json:"os_release,omitempty"`

	Policy       *Policy            `json:"policy,omitempty"`
	Config       string             `json:"config,omitempty"`     // slipway.toml as built in
	ESPConfig    string             `json:"esp_config,omitempty"` // slipway.toml on the EFI system partition
	Certificates []Certificate      `json:"certificates,omitempty"`
	Modules      []image.ModuleFile `json:"modules,omitempty"`

	Parts []image.Part `json:"parts"`
	Files []disk.Entry `json:"files,omitempty"` // of the EFI system partition
	SBOM  *SBOM        `json:"sbom,omitempty"`  // the one beside the payload
}

// Policy is what a payload trusts and allows.
type Policy struct {
	Hash  string     `json:"hash"`
	Rules []oci.Rule `json:"rules"`
	Boot  BootPolicy `json:"boot"`
}

// BootPolicy is boot-policy.toml with its defaults filled in. In JSON it has the
// keys of the file.
type BootPolicy struct{ oci.BootPolicy }

// MarshalJSON implements json.Marshaler.
func (b BootPolicy) MarshalJSON() ([]byte, error) {
	text, err := toml.Marshal(b.BootPolicy)
	if err != nil {
		return nil, err
	}
	var keys map[string]any
	if err := toml.Unmarshal(text, &keys); err != nil {
		return nil, err
	}
	return json.Marshal(keys)
}

// Certificate is one of a payload's TLS roots.
type Certificate struct {
	Subject   string    `json:"subject"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"`
}

// SBOM is a summary of the SBOM beside a payload.
type SBOM struct {
	Path     string        `json:"path"`
	Matches  bool          `json:"matches"` // it is about these bytes
	Packages []SBOMPackage `json:"packages"`
}

// SBOMPackage is one package of an SBOM.
type SBOMPackage struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	License string `json:"license,omitempty"`
	Source  string `json:"source,omitempty"` // where its source is
}

// Inspect tells what a file holds. Errors: ErrUnknown, those of the parsers and
// of the file. Where a payload is damaged inside, the error says in which part.
func Inspect(path string) (*Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	info := &Info{Size: size, SHA256: hex.EncodeToString(h.Sum(nil))}
	if err := info.read(f, size); err != nil {
		return nil, fmt.Errorf("inspect: %s: %w", path, err)
	}
	if info.SBOM, err = readSBOM(SBOMPath(path), info.SHA256); err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	return info, nil
}

// read recognises the format and takes it apart.
func (i *Info) read(r io.ReaderAt, size int64) error {
	const gptAt, kernelAt = 512, 0x202
	head := make([]byte, 1024)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	head = head[:n]
	at := func(off int, magic string) bool { return len(head) > off && bytes.HasPrefix(head[off:], []byte(magic)) }
	switch {
	case at(gptAt, "EFI PART"):
		i.Format = Disk
		return i.readDisk(r, size)
	case at(kernelAt, "HdrS"): // it is a PE file as well
		i.Format = Kernel
		return i.readKernel(io.NewSectionReader(r, 0, size))
	case at(0, "MZ"):
		i.Format = UKI
		return i.readUKI(r, size)
	}
	i.Format = Initramfs
	err = i.readInitramfs(io.NewSectionReader(r, 0, size))
	if errors.Is(err, image.ErrFormat) {
		return fmt.Errorf("%w: expected a disk image, a UKI, an initramfs or a kernel: %w", ErrUnknown, err)
	}
	return err
}

func (i *Info) readDisk(r io.ReaderAt, size int64) error {
	esp, err := disk.Open(r, size)
	if err != nil {
		return err
	}
	i.Files = esp.Files()
	if config, err := esp.Open(layout.ESPConfig); err == nil {
		text, err := readLimited(config, maxText)
		if err != nil {
			return fmt.Errorf("%s: %w", layout.ESPConfig, err)
		}
		i.ESPConfig = string(text)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	program, err := esp.Open(disk.BootPath)
	if err != nil {
		return err
	}
	i.part("UKI", program.Size())
	if err := i.readUKI(program, program.Size()); err != nil {
		return fmt.Errorf("%s: %w", disk.BootPath, err)
	}
	return nil
}

func (i *Info) readUKI(r io.ReaderAt, size int64) error {
	m, err := uki.Parse(r, size)
	if err != nil {
		return err
	}
	i.Cmdline, i.OSRelease, i.Stub = m.Cmdline, m.OSRelease, m.Stub
	rest := size
	for _, s := range []*io.SectionReader{m.Linux, m.Initrd} {
		if s != nil {
			rest -= s.Size()
		}
	}
	i.part("stub", rest)
	if err := i.readKernel(m.Linux); err != nil {
		return err
	}
	if m.Initrd == nil {
		return nil
	}
	return i.readInitramfs(m.Initrd)
}

func (i *Info) readKernel(r *io.SectionReader) error {
	k, err := uki.ParseKernel(r)
	if err != nil {
		return err
	}
	i.KernelRelease, i.KernelVersion = k.Release, k.Version
	i.part("kernel", r.Size())
	return nil
}

func (i *Info) readInitramfs(r *io.SectionReader) error {
	if r.Size() > maxInitrd {
		return fmt.Errorf("initramfs: expected at most %d bytes, got %d", maxInitrd, r.Size())
	}
	c, err := image.Read(r)
	if err != nil {
		return err
	}
	i.part("initramfs ("+c.Compression+")", r.Size())
	i.part("initramfs: all, unpacked", c.Plain)
	if c.Init != nil {
		i.part("initramfs: init, unpacked", int64(len(c.Init)))
	}
	if len(c.Modules) > 0 {
		i.Modules = c.Modules
		i.part("initramfs: modules, unpacked", total(c.Modules))
	}
	if i.KernelRelease == "" {
		i.KernelRelease = c.Release
	}
	if c.Info != nil {
		i.Payload, i.Version, i.Built, i.Demo = true, c.Info.Version, time.Unix(c.Info.Built, 0).UTC(), c.Info.Demo
	}
	i.Config = string(c.Config)
	if err := i.trust(c); err != nil {
		return fmt.Errorf("initramfs: %w", err)
	}
	return nil
}

// trust describes policy and TLS roots.
func (i *Info) trust(c *image.Contents) error {
	if c.Policy != nil {
		i.Policy = &Policy{c.Policy.Hash(), c.Policy.Rules(), BootPolicy{c.Policy.Boot()}}
	}
	if c.CA == nil {
		return nil
	}
	list, err := image.Certificates(c.CA)
	if err != nil {
		return err
	}
	for _, x := range list {
		i.Certificates = append(i.Certificates, describe(x))
	}
	return nil
}

func describe(c *x509.Certificate) Certificate {
	sum := sha256.Sum256(c.Raw)
	return Certificate{c.Subject.String(), c.NotBefore, c.NotAfter, hex.EncodeToString(sum[:])}
}

func (i *Info) part(name string, size int64) {
	i.Parts = append(i.Parts, image.Part{Name: name, Size: size})
}

func total(modules []image.ModuleFile) (sum int64) {
	for _, m := range modules {
		sum += m.Size
	}
	return sum
}

// readSBOM summarises the SBOM of a payload with a hash. None is no error.
func readSBOM(path, sha256sum string) (*SBOM, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readLimited(f, maxSBOM)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var d spdxDocument
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%s: expected SPDX in JSON: %w", path, err)
	}
	s := &SBOM{Path: path}
	for _, p := range d.Packages {
		if p.ID == payloadID {
			for _, c := range p.Checksums {
				s.Matches = s.Matches || c.Algorithm == "SHA256" && c.Value == sha256sum
			}
			continue
		}
		s.Packages = append(s.Packages, SBOMPackage{p.Name, p.Version, known(p.LicenseDeclared), known(p.DownloadLocation)})
	}
	return s, nil
}

// known turns SPDX's word for "not known" into nothing.
func known(s string) string {
	if s == noAssertion {
		return ""
	}
	return s
}
