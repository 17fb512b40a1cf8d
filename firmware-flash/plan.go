package flash

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// PlanOptions say what to write.
type PlanOptions struct {
	// Region is the name of the one region to write. It is mandatory.
	Region string
	// Header is the region, inside of Region, that decides whether the rest
	// is used: its blocks are written last. Empty means Region's first block.
	Header string
	// Preserve lists what keeps its bytes: regions inside of Region, or CBFS
	// files as "REGION/file", which must lie at the same place and have the
	// same size in the image. Regions that the flash map marks as preserved
	// need not be listed. What a signature in the header covers cannot be
	// preserved.
	Preserve []string
	// Active lists the regions that the running system was booted from. What
	// overlaps them is not written. Leave it empty only when the chip is
	// written from outside.
	Active []string
	// Shared permits erase blocks that also hold bytes to keep: at the edge
	// of Region, or preserved ones. Those bytes are written back with the
	// block; a power cut in between loses them until the write is repeated
	// with the same backup.
	Shared bool
}

// Action is what happens to a block.
type Action string

// The actions of a Step.
const (
	ActionErase   Action = "erase"   // only erased: the new contents are blank
	ActionProgram Action = "program" // only programmed: no bit has to be set
	ActionRewrite Action = "rewrite" // erased, then programmed
)

// Step is a run of adjacent erase blocks that are treated alike.
type Step struct {
	Action Action `json:"action"`
	Range
	Header bool `json:"header,omitempty"`
}

// What a plan knows about write protection.
const (
	ProtectionNone    = "none"    // nothing that is written is protected
	ProtectionUnknown = "unknown" // the chip or its driver cannot tell
)

// Plan is everything that a write would do, in order. NewPlan makes it and
// Apply carries it out; a Plan made otherwise can be looked at only. It can
// be marshalled to JSON.
type Plan struct {
	Region     Region  `json:"region"`
	Board      string  `json:"board,omitempty"`
	ChipSize   int64   `json:"chip_size"`
	EraseSize  int64   `json:"erase_size"`
	Before     string  `json:"before"` // SHA-256 of the whole chip
	After      string  `json:"after"`  // the same when all is done
	Image      string  `json:"image"`  // SHA-256 of the image
	Steps      []Step  `json:"steps"`
	Same       int64   `json:"same_bytes"` // in blocks that are not touched
	Preserved  []Range `json:"preserved,omitempty"`
	Shared     []Range `json:"shared,omitempty"` // blocks at risk, see PlanOptions
	Protection string  `json:"protection"`

	span Range     // Region rounded out to erase blocks
	old  *Snapshot // the whole chip before
	want []byte    // the span afterwards
	made *Plan     // as NewPlan made it: this, and no later change, is applied
}

// NewPlan compares what is on the chip with an image of the whole chip and
// returns what has to be written so that one region becomes the image's. Of
// the chip itself only size, erase size and protection are asked. To finish
// an interrupted write, old must be the snapshot in the backup made before it.
//
// The error wraps one of ErrGeometry, ErrImage, ErrLayout, ErrBoard,
// ErrRegion, ErrActive, ErrShared, ErrProtected; nothing has been written.
func NewPlan(c Chip, old *Snapshot, image []byte, o PlanOptions) (*Plan, error) {
	made, err := newPlan(c, old, image, o)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	p := *made
	p.Steps, p.made = slices.Clone(made.Steps), made
	return &p, nil
}

func newPlan(c Chip, old *Snapshot, image []byte, o PlanOptions) (*Plan, error) {
	if err := checkGeometry(c); err != nil {
		return nil, err
	}
	if old == nil || old.Size() != c.Size() {
		return nil, fmt.Errorf("%w: the snapshot is not one of this chip of %d bytes", ErrPlan, c.Size())
	}
	layout, err := agreedLayout(old, image)
	if err != nil {
		return nil, err
	}
	region, err := layout.Region(o.Region)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Region: region, Board: layout.Board,
		ChipSize: c.Size(), EraseSize: c.EraseSize(),
		Before: old.sum, Image: hash(image),
		span: region.outward(c.EraseSize()), old: old,
	}
	if err := p.checkActive(layout, o.Active); err != nil {
		return nil, err
	}
	if err := p.compose(layout, image, o); err != nil {
		return nil, err
	}
	if err := p.order(layout, o); err != nil {
		return nil, err
	}
	if err := p.checkActive(layout, o.Active); err != nil { // with the steps
		return nil, err
	}
	return p, p.checkProtection(c)
}

// agreedLayout refuses images that do not belong on the chip.
func agreedLayout(old *Snapshot, image []byte) (*Layout, error) {
	if size := int64(len(image)); size != old.Size() {
		how := "too large"
		if size < old.Size() {
			how = "too small or cut off"
		}
		return nil, fmt.Errorf("%w: %s: expected the whole chip's %d bytes, got %d", ErrImage, how, old.Size(), size)
	}
	chip, err := old.Layout()
	if isBlank(old.data) {
		return nil, fmt.Errorf("chip: %w: nothing but 0xff: it is blank, or not connected", ErrLayout)
	} else if err != nil {
		return nil, fmt.Errorf("chip: %w", err)
	}
	other, err := ParseLayout(image)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return chip, chip.agree(other)
}

// checkActive refuses what the running system needs, in the region and in the
// erase blocks at its edges. A name that does not exist is an error: a typing
// error must not lift the protection.
func (p *Plan) checkActive(l *Layout, active []string) error {
	for _, name := range active {
		r, err := l.Region(name)
		if err != nil {
			return fmt.Errorf("active: %w", err)
		}
		touched := r.Overlaps(p.Region.Range)
		for _, s := range p.Steps {
			touched = touched || r.Overlaps(s.Range)
		}
		if touched {
			return fmt.Errorf("%w: the running system was booted from %s, which writing %s would touch", ErrActive, r.Name, p.Region.Name)
		}
	}
	return nil
}

func (p *Plan) checkProtection(c Chip) error {
	protected, err := c.Protected()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		p.Protection = ProtectionUnknown
		return nil
	case err != nil:
		return fmt.Errorf("protection: %w", err)
	}
	for _, s := range p.Steps {
		for _, r := range protected {
			if r.Overlaps(s.Range) {
				return fmt.Errorf("%w: %s has to change, the chip protects %s", ErrProtected, s.Range, r)
			}
		}
	}
	p.Protection = ProtectionNone
	return nil
}

// String returns the plan as a table for people.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "region %s, %s of a chip of %d bytes, erase blocks of %d\n",
		p.Region.Name, p.Region.Range, p.ChipSize, p.EraseSize)
	if p.Board != "" {
		fmt.Fprintf(&b, "board %s\n", p.Board)
	}
	for _, s := range p.Steps {
		last := ""
		if s.Header {
			last = "  (header)"
		}
		fmt.Fprintf(&b, "  %-8s %s  %d blocks%s\n", s.Action, s.Range, s.Size/p.EraseSize, last)
	}
	if len(p.Steps) == 0 {
		b.WriteString("  nothing to write: the region holds the image already\n")
	}
	fmt.Fprintf(&b, "untouched in the region: %d bytes\n", p.Same)
	for _, row := range []struct {
		what   string
		ranges []Range
	}{{"preserved", p.Preserved}, {"at risk in a power cut", p.Shared}} {
		if len(row.ranges) > 0 {
			fmt.Fprintf(&b, "%s: %s\n", row.what, joinRanges(row.ranges))
		}
	}
	fmt.Fprintf(&b, "write protection: %s\nbefore %s\nafter  %s\n", p.Protection, p.Before, p.After)
	return b.String()
}
