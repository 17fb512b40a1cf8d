package uki

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// maxText is the largest section read as text.
const maxText = 64 << 10

// Section is one section of an image.
type Section struct {
	Name    string `json:"name"`
	Size    int64  `json:"size"`    // bytes of content
	Offset  int64  `json:"offset"`  // of the content in the file
	Address int64  `json:"address"` // in memory, from the image's base
}

// Image is a unified kernel image that was read.
type Image struct {
	Machine   string // "amd64"
	Sections  []Section
	OSRelease string
	Cmdline   string
	Uname     string    // what .uname says; "" if it is missing
	SBAT      string    // generations for revocation
	Stub      string    // the stub's own words, from .sdmagic
	Built     time.Time // from the header
	Linux     *io.SectionReader
	Initrd    *io.SectionReader // nil if there is none
}

// Parse reads a unified kernel image of size bytes. The readers in the Image
// read from r. Errors: ErrFormat, ErrNotUKI, ErrTooLarge.
func Parse(r io.ReaderAt, size int64) (*Image, error) {
	f, err := openPE(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("uki: %w", err)
	}
	if n := len(f.Sections); n > maxSections {
		return nil, fmt.Errorf("uki: %w: expected at most %d sections, got %d", ErrTooLarge, maxSections, n)
	}
	m := &Image{Machine: machineName(f.Machine), Built: time.Unix(int64(f.TimeDateStamp), 0).UTC()}
	for _, s := range f.Sections {
		x := Section{Name: s.Name, Size: int64(s.Size), Offset: int64(s.Offset), Address: int64(s.VirtualAddress)}
		if s.VirtualSize > 0 { // the rest is padding
			x.Size = min(x.Size, int64(s.VirtualSize))
		}
		if x.Size > 0 && x.Offset+x.Size > size {
			return nil, fmt.Errorf("uki: %w: section %q ends at %d, behind the file's %d bytes", ErrFormat, x.Name, x.Offset+x.Size, size)
		}
		m.Sections = append(m.Sections, x)
		if err := m.take(x, r); err != nil {
			return nil, fmt.Errorf("uki: section %s: %w", x.Name, err)
		}
	}
	if m.Linux == nil {
		return nil, fmt.Errorf("uki: %w: it has no section %s", ErrNotUKI, sectionLinux)
	}
	return m, nil
}

// take keeps a section's content if it is one of those that Image has. Of two
// with one name the first counts, as it does for the stub.
func (m *Image) take(x Section, r io.ReaderAt) error {
	body := io.NewSectionReader(r, x.Offset, x.Size)
	switch x.Name {
	case sectionLinux:
		if m.Linux == nil {
			m.Linux = body
		}
		return nil
	case sectionInitrd:
		if m.Initrd == nil {
			m.Initrd = body
		}
		return nil
	}
	for _, t := range []struct {
		name string
		to   *string
	}{
		{sectionOSRelease, &m.OSRelease}, {sectionCmdline, &m.Cmdline}, {sectionUname, &m.Uname},
		{sectionSBAT, &m.SBAT}, {sectionStub, &m.Stub},
	} {
		if t.name != x.Name || *t.to != "" {
			continue
		}
		if x.Size > maxText {
			return fmt.Errorf("%w: expected at most %d bytes, got %d", ErrTooLarge, maxText, x.Size)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		*t.to = string(bytes.TrimRight(text, "\x00"))
	}
	return nil
}
