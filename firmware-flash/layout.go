package flash

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-boot/slipway/internal/nearest"
)

// Region is a named part of the chip.
type Region struct {
	Name string `json:"name"`
	Range
	// Preserve: the firmware keeps state here that an update must not touch.
	Preserve bool `json:"preserve,omitempty"`
}

// String returns the name and both limits.
func (r Region) String() string { return r.Name + " at " + r.Range.String() }

// Layout is what a chip's or image's own tables say about it.
type Layout struct {
	Size int64 `json:"size"`
	// Regions are those of the flash map, and behind them those of Intel's
	// flash descriptor as "ifd:bios", "ifd:me" and so on. They may nest.
	Regions []Region `json:"regions"`
	// Board is coreboot's "vendor part"; empty if there is none to be found.
	Board string `json:"board,omitempty"`
}

// ParseLayout reads the tables of a whole chip's contents: the flash map
// (FMAP), which must be there and of this size, Intel's flash descriptor and
// coreboot's identification, if they are. The error is an ErrLayout.
func ParseLayout(data []byte) (*Layout, error) {
	if len(data) > MaxChipSize {
		return nil, fmt.Errorf("%w: expected at most %d bytes, got %d", ErrLayout, MaxChipSize, len(data))
	}
	regions, err := parseFMAP(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLayout, err)
	}
	descriptor, err := parseIFD(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLayout, err)
	}
	return &Layout{
		Size:    int64(len(data)),
		Regions: append(regions, descriptor...),
		Board:   parseBoard(data),
	}, nil
}

// Region finds a region. The error is an ErrRegion that names the nearest one.
func (l *Layout) Region(name string) (Region, error) {
	names := make([]string, 0, len(l.Regions))
	for _, r := range l.Regions {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	hint := "there are " + strings.Join(names, ", ")
	if near := nearestName(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return Region{}, fmt.Errorf("%w %q: %s", ErrRegion, name, hint)
}

// nearestName forgives the wrong case, which is the likeliest mistake.
func nearestName(name string, names []string) string {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return nearest.Word(name, names)
}

// agree returns an error if an image with layout o does not belong on a chip
// with layout l.
func (l *Layout) agree(o *Layout) error {
	if l.Size != o.Size {
		return fmt.Errorf("%w: the chip has %d bytes, the image %d", ErrLayout, l.Size, o.Size)
	}
	for _, r := range l.Regions {
		i := slices.IndexFunc(o.Regions, func(s Region) bool { return s.Name == r.Name })
		if i < 0 {
			return fmt.Errorf("%w: the chip has a region %s, the image has none", ErrLayout, r.Name)
		}
		if s := o.Regions[i]; s.Range != r.Range {
			return fmt.Errorf("%w: region %s is at %s on the chip and at %s in the image", ErrLayout, r.Name, r.Range, s.Range)
		}
	}
	for _, s := range o.Regions {
		if !slices.ContainsFunc(l.Regions, func(r Region) bool { return r.Name == s.Name }) {
			return fmt.Errorf("%w: the image has a region %s, the chip has none", ErrLayout, s.Name)
		}
	}
	if l.Board != o.Board {
		return fmt.Errorf("%w: the chip says %q, the image %q", ErrBoard, l.Board, o.Board)
	}
	return nil
}
