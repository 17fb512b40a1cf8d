package image

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/slipway-boot/slipway/internal/cpio"
	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/oci"
)

const (
	maxPlain    = 2 << 30 // bytes of an initramfs unpacked
	maxMembers  = 200_000
	maxText     = 4 << 20 // bytes of a file that is read as text
	maxModule   = kmod.MaxModuleSize
	maxInit     = 256 << 20
	maxArchives = 8 // uncompressed ones in front of the compressed one
	bufferSize  = 64 << 10
)

// Contents is what an initramfs holds.
type Contents struct {
	Compression string // of the last part: "zstd", "xz", "gzip" or "none"
	Plain       int64  // bytes of all archives, unpacked
	Members     int
	Release     string // of the modules; "" if there are none
	Modules     []ModuleFile
	Init        []byte // nil if there is none

	// Of a payload; nil, or the zero value, if it is none.
	Info   *layout.PayloadInfo
	Policy *oci.Policy
	Config []byte
	CA     []byte
}

// Read takes an initramfs apart: archives joined end to end, plain or compressed.
// Errors: ErrFormat, ErrPolicy.
func Read(r io.Reader) (*Contents, error) {
	c := &Contents{Compression: "none"}
	files := make(map[string][]byte)
	for range maxArchives {
		rest, err := c.part(bufio.NewReaderSize(r, bufferSize), files)
		if err != nil {
			return nil, fmt.Errorf("initramfs: %w", err)
		}
		if rest == nil {
			return c, c.payload(files)
		}
		r = rest
	}
	return nil, fmt.Errorf("initramfs: %w: expected at most %d archives", ErrFormat, maxArchives)
}

// compressions are those that the kernel can be built with and that are in use.
var compressions = [...]struct {
	name, magic string
	open        func(*bufio.Reader) (io.Reader, error)
}{
	{"none", "0707", func(r *bufio.Reader) (io.Reader, error) { return r, nil }},
	{"zstd", "\x28\xb5\x2f\xfd", func(r *bufio.Reader) (io.Reader, error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}},
	{"gzip", "\x1f\x8b", func(r *bufio.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{"xz", "\xfd7zXZ\x00", func(r *bufio.Reader) (io.Reader, error) { return xz.NewReader(r) }},
}

// part reads archives of one compression and returns what follows, nil for the
// end. Behind an uncompressed one (microcode) a compressed one may stand; what
// follows a compressed one is out of reach, decompressors read ahead.
func (c *Contents) part(r *bufio.Reader, files map[string][]byte) (io.Reader, error) {
	head, err := r.Peek(6)
	if len(head) == 0 && err == io.EOF && c.Members > 0 {
		return nil, nil
	}
	for _, x := range compressions {
		if !bytes.HasPrefix(head, []byte(x.magic)) {
			continue
		}
		c.Compression = x.name
		plain, err := x.open(r)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFormat, x.name, err)
		}
		if closer, ok := plain.(io.Closer); ok {
			defer closer.Close()
		}
		rest, err := c.archive(plain, files)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if x.name == "none" {
			return rest, nil
		}
		return nil, nil
	}
	return nil, fmt.Errorf("%w: expected cpio, plain or compressed with zstd, gzip or xz", ErrFormat)
}

// archive reads members, keeps those that matter, and returns what follows.
func (c *Contents) archive(plain io.Reader, files map[string][]byte) (io.Reader, error) {
	r := cpio.NewReader(plain, cpio.Limits{Members: maxMembers, Total: maxPlain})
	for {
		h, err := r.Next()
		if err == io.EOF {
			c.Plain += r.Offset()
			return r.Rest(), nil
		}
		if err != nil {
			return nil, err
		}
		c.Members++
		if !h.Mode.IsRegular() {
			continue
		}
		limit := limitOf(h.Name)
		if limit == 0 {
			continue
		}
		if h.Size > limit {
			return nil, fmt.Errorf("%s: expected at most %d bytes, got %d", h.Name, limit, h.Size)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(h.Name, ".ko") {
			c.module(h.Name, data)
			continue
		}
		files[h.Name] = data
	}
}

// limitOf returns how large a member may be that Read keeps, 0 for the others.
func limitOf(name string) int64 {
	switch name {
	case layout.Init:
		return maxInit
	case layout.PolicyJSON, layout.BootPolicy, layout.Config, layout.CA, layout.Payload:
		return maxText
	}
	if strings.Contains("/"+name, "/"+layout.Modules+"/") && strings.HasSuffix(name, ".ko") {
		return maxModule
	}
	return 0
}

func (c *Contents) module(name string, data []byte) {
	_, below, _ := strings.Cut("/"+name, "/"+layout.Modules+"/")
	release, file, _ := strings.Cut(below, "/")
	c.Release = release
	m := ModuleFile{Name: strings.TrimSuffix(path.Base(name), ".ko"), Path: file, Size: int64(len(data))}
	if info, err := kmod.Modinfo(bytes.NewReader(data)); err == nil {
		m.License = info.License
		if info.Name != "" {
			m.Name = info.Name
		}
	}
	c.Modules = append(c.Modules, m)
}

// payload interprets the files of a payload, if it is one.
func (c *Contents) payload(files map[string][]byte) error {
	c.Init, c.Config, c.CA = files[layout.Init], files[layout.Config], files[layout.CA]
	if text, ok := files[layout.Payload]; ok {
		c.Info = &layout.PayloadInfo{}
		if err := json.Unmarshal(text, c.Info); err != nil {
			return fmt.Errorf("initramfs: %s: %w: %w", layout.Payload, ErrFormat, err)
		}
	}
	if text, ok := files[layout.PolicyJSON]; ok {
		p, err := oci.ParsePolicy(text, files[layout.BootPolicy], nil)
		if err != nil {
			return fmt.Errorf("initramfs: %w: %w", ErrPolicy, err)
		}
		c.Policy = p
	}
	return nil
}
