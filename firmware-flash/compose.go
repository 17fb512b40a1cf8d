package flash

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// compose works out what the span holds afterwards: the image's region, but
// for what is preserved; outside of the region, in shared blocks, the chip's
// own bytes.
func (p *Plan) compose(l *Layout, image []byte, o PlanOptions) error {
	if p.Region.Size == 0 {
		return fmt.Errorf("%w: region %s is empty", ErrRegion, p.Region.Name)
	}
	if isBlank(p.Region.of(image)) {
		return fmt.Errorf("%w: nothing but 0xff in region %s", ErrImage, p.Region.Name)
	}
	full := slices.Clone(p.old.data)
	copy(p.Region.of(full), p.Region.of(image))
	keep, err := p.preserved(l, image, o.Preserve)
	if err != nil {
		return err
	}
	for _, r := range keep {
		copy(r.of(full), r.of(p.old.data))
	}
	p.Preserved = keep
	p.After = hash(full)
	p.want = p.span.of(full)
	return nil
}

// preserved resolves what keeps its bytes.
func (p *Plan) preserved(l *Layout, image []byte, names []string) ([]Range, error) {
	var out []Range
	for _, r := range l.Regions {
		if r.Preserve && r.Overlaps(p.Region.Range) && !r.Contains(p.Region.Range) {
			start := max(r.Offset, p.Region.Offset)
			out = append(out, Range{start, min(r.End(), p.Region.End()) - start})
		}
	}
	for _, name := range names {
		r, err := p.preservedRange(l, image, name)
		if err != nil {
			return nil, fmt.Errorf("preserve: %w", err)
		}
		if !p.Region.Contains(r) {
			return nil, fmt.Errorf("preserve: %w: %s at %s lies outside of %s", ErrRegion, name, r, p.Region.Name)
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Range) int { return int(a.Offset - b.Offset) })
	return out, nil
}

// preservedRange finds the place of "REGION" or "REGION/file".
func (p *Plan) preservedRange(l *Layout, image []byte, name string) (Range, error) {
	regionName, file, isFile := strings.Cut(name, "/")
	r, err := l.Region(regionName)
	if err != nil || !isFile {
		return r.Range, err
	}
	chip, err := findFile(p.old.data, r, file)
	if err != nil {
		return Range{}, fmt.Errorf("chip: %w", err)
	}
	other, err := findFile(image, r, file)
	if err != nil {
		return Range{}, fmt.Errorf("image: %w", err)
	}
	if chip != other {
		return Range{}, fmt.Errorf("%w: file %s is at %s on the chip and at %s in the image: reserve the same place for it",
			ErrLayout, name, chip.data, other.data)
	}
	return chip.data, nil
}

// findFile finds a file of a region's CBFS by its name.
func findFile(chip []byte, r Region, name string) (cbfsFile, error) {
	files, err := parseCBFS(chip, r)
	if err != nil {
		return cbfsFile{}, err
	}
	var names []string
	for _, f := range files {
		if f.name == name {
			return f, nil
		}
		if f.name != "" {
			names = append(names, f.name)
		}
	}
	return cbfsFile{}, fmt.Errorf("%w: no file %q in %s: there are %s", ErrRegion, name, r.Name, strings.Join(names, ", "))
}

// order finds the blocks to write and puts those of the header last.
func (p *Plan) order(l *Layout, o PlanOptions) error {
	header := Range{p.Region.Offset, 1}
	if o.Header != "" {
		r, err := l.Region(o.Header)
		if err != nil {
			return fmt.Errorf("header: %w", err)
		}
		if r.Size == 0 || !p.Region.Contains(r.Range) {
			return fmt.Errorf("header: %w: %s lies outside of %s", ErrRegion, r, p.Region.Name)
		}
		header = r.Range
	}
	var body, last []Step
	for off := p.span.Offset; off < p.span.End(); off += p.EraseSize {
		block := Range{off, p.EraseSize}
		s, changed := p.step(block)
		switch {
		case !changed:
			p.Same += p.EraseSize
		case block.Overlaps(header):
			s.Header = true
			last = appendStep(last, s)
		default:
			body = appendStep(body, s)
		}
		if changed && p.isShared(s) {
			p.Shared = appendRange(p.Shared, block)
		}
	}
	p.Steps = slices.Concat([]Step{}, body, last)
	if len(p.Shared) > 0 && !o.Shared {
		return fmt.Errorf("%w: the erase blocks %s also hold bytes that must stay (blocks are %#x bytes)",
			ErrShared, joinRanges(p.Shared), p.EraseSize)
	}
	return nil
}

// step says how one block changes.
func (p *Plan) step(block Range) (s Step, changed bool) {
	have, want := block.of(p.old.data), p.wanted(block)
	if bytes.Equal(have, want) {
		return Step{}, false
	}
	return Step{Action: actionFor(have, want), Range: block}, true
}

// wanted returns what a part of the span holds afterwards.
func (p *Plan) wanted(r Range) []byte {
	return Range{r.Offset - p.span.Offset, r.Size}.of(p.want)
}

// isShared reports whether erasing a block would take bytes to keep with it.
// Bytes that are blank anyway are not lost.
func (p *Plan) isShared(s Step) bool {
	if s.Action == ActionProgram {
		return false
	}
	keep := append([]Range{
		{p.span.Offset, p.Region.Offset - p.span.Offset},
		{p.Region.End(), p.span.End() - p.Region.End()},
	}, p.Preserved...)
	for _, r := range keep {
		start, end := max(r.Offset, s.Offset), min(r.End(), s.End())
		if start < end && !isBlank(p.old.data[start:end]) {
			return true
		}
	}
	return false
}

func actionFor(have, want []byte) Action {
	switch {
	case clearsOnly(have, want):
		return ActionProgram
	case isBlank(want):
		return ActionErase
	default:
		return ActionRewrite
	}
}

func appendStep(list []Step, s Step) []Step {
	if n := len(list); n > 0 && list[n-1].Action == s.Action && list[n-1].End() == s.Offset {
		list[n-1].Size += s.Size
		return list
	}
	return append(list, s)
}
