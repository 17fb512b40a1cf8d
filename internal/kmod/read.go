package kmod

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// MaxModuleSize is the largest module, in bytes and uncompressed. The largest
// of Debian's is under 20 MiB.
const MaxModuleSize = 128 << 20

// Read returns the ELF image of a module, given a path as Closure returns it.
// The compression is told by the content. Errors: those of the file system,
// ErrFormat, ErrTooLarge.
func (x *Index) Read(file string) ([]byte, error) {
	f, err := x.fsys.Open(path.Join(x.dir, file))
	if err != nil {
		return nil, fmt.Errorf("kmod: %w", err)
	}
	defer f.Close()
	image, err := inflate(f)
	if err != nil {
		return nil, fmt.Errorf("kmod: %s: %w", file, err)
	}
	return image, nil
}

const elfMagic = "\x7fELF"

// inflaters are the compressions that kernels are built with.
var inflaters = [...]struct {
	magic string
	open  func(io.Reader) (io.Reader, error)
}{
	{elfMagic, func(r io.Reader) (io.Reader, error) { return r, nil }},
	{"\x1f\x8b", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{"\xfd7zXZ\x00", func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) }},
	{"\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(MaxModuleSize))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}},
}

func inflate(r io.Reader) ([]byte, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	for _, c := range inflaters {
		if !bytes.HasPrefix(head, []byte(c.magic)) {
			continue
		}
		plain, err := c.open(br)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if c, ok := plain.(io.Closer); ok {
			defer c.Close()
		}
		image, err := readLimited(plain, MaxModuleSize)
		if err != nil {
			return nil, fmt.Errorf("inflate: %w", err)
		}
		if !bytes.HasPrefix(image, []byte(elfMagic)) {
			return nil, fmt.Errorf("%w: expected an ELF file", ErrFormat)
		}
		return image, nil
	}
	return nil, fmt.Errorf("%w: expected an ELF file, plain or compressed with gzip, xz or zstd", ErrFormat)
}
