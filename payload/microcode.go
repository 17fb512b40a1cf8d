package payload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/slipway-boot/slipway/internal/cpio"
)

// microcodeDir is where the kernel looks for processor updates before it
// unpacks anything, in an uncompressed archive
// (Documentation/arch/x86/microcode.rst).
const microcodeDir = "kernel/x86/microcode/"

// newcMagic begins every member of an uncompressed archive.
const newcMagic = "070701"

// Ceilings of the archive that may lie in front of an image's initramfs.
const (
	maxMicrocode    = 64 << 20
	maxEarlyMembers = 1000
)

// microcode takes the processor updates out of the image's initramfs, which
// itself is left behind when the root is direct. An initramfs that does not
// begin with an uncompressed archive has none.
func microcode(initramfs io.Reader) ([]row, error) {
	front := bufio.NewReader(initramfs)
	if magic, err := front.Peek(len(newcMagic)); err != nil || string(magic) != newcMagic {
		return nil, nil
	}
	r := cpio.NewReader(front, cpio.Limits{Members: maxEarlyMembers, Total: maxMicrocode})
	var out []row
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, cpio.ErrFormat) || errors.Is(err, cpio.ErrTooLarge) {
			return out, nil // the compressed part, or a whole initramfs without compression
		}
		if err != nil {
			return nil, fmt.Errorf("initramfs: %w", err)
		}
		name, ok := strings.CutPrefix(h.Name, microcodeDir)
		if !ok || !h.Mode.IsRegular() || strings.Contains(name, "/") {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("initramfs: %s: %w", h.Name, err)
		}
		out = append(out, row{h.Name, rootPerm, data})
	}
}
