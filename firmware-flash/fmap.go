package flash

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The flash map of coreboot and Chromium OS, little endian: a header, then
// areas.
const (
	fmapSignature  = "__FMAP__"
	fmapHeaderSize = 8 + 1 + 1 + 8 + 4 + fmapNameSize + 2
	fmapAreaSize   = 4 + 4 + fmapNameSize + 2
	fmapNameSize   = 32
	fmapMajor      = 1
	fmapSelf       = "FMAP" // the area that a map itself lies in
	fmapPreserve   = 1 << 3

	maxFMAPAreas = 512
	// maxFMAPs bounds the places that look like a map: programs that read
	// maps hold the signature too.
	maxFMAPs = 256
)

// parseFMAP finds the one flash map of an image. A map in the area "FMAP" that
// it describes itself counts more than one that lies anywhere.
func parseFMAP(data []byte) ([]Region, error) {
	var placed, loose [][]Region
	var bad error
	for at, n := 0, 0; ; at += len(fmapSignature) {
		i := bytes.Index(data[at:], []byte(fmapSignature))
		if i < 0 {
			break
		}
		at += i
		if n++; n > maxFMAPs {
			return nil, fmt.Errorf("flash map: expected at most %d places that look like one, got more", maxFMAPs)
		}
		areas, err := parseFMAPAt(data, at)
		switch {
		case err != nil:
			bad = cmp.Or(bad, fmt.Errorf("flash map at %#x: %w", at, err))
		case slices.ContainsFunc(areas, func(r Region) bool { return r.Name == fmapSelf && r.Offset == int64(at) }):
			placed = addMap(placed, areas)
		default:
			loose = addMap(loose, areas)
		}
	}
	if len(placed) == 0 {
		placed = loose
	}
	switch {
	case len(placed) > 1:
		return nil, fmt.Errorf("flash map: expected one, got %d that differ", len(placed))
	case len(placed) == 1:
		return placed[0], nil
	case bad != nil:
		return nil, bad
	}
	return nil, errors.New("no flash map (FMAP) found")
}

// addMap adds a map if it says something new.
func addMap(maps [][]Region, m []Region) [][]Region {
	if slices.ContainsFunc(maps, func(o []Region) bool { return slices.Equal(m, o) }) {
		return maps
	}
	return append(maps, m)
}

// parseFMAPAt reads the map at an offset, where the signature is.
func parseFMAPAt(data []byte, at int) ([]Region, error) {
	if len(data)-at < fmapHeaderSize {
		return nil, errors.New("header is cut off")
	}
	head := data[at+len(fmapSignature):]
	if head[0] != fmapMajor {
		return nil, fmt.Errorf("version: expected %d, got %d", fmapMajor, head[0])
	}
	size := int64(binary.LittleEndian.Uint32(head[10:]))
	count := int(binary.LittleEndian.Uint16(head[14+fmapNameSize:]))
	switch {
	case size != int64(len(data)):
		return nil, fmt.Errorf("made for %d bytes, got %d", size, len(data))
	case count == 0 || count > maxFMAPAreas:
		return nil, fmt.Errorf("areas: expected 1 to %d, got %d", maxFMAPAreas, count)
	case len(data)-at-fmapHeaderSize < count*fmapAreaSize:
		return nil, fmt.Errorf("the last of %d areas is cut off", count)
	}
	areas := make([]Region, 0, count)
	names := map[string]bool{}
	for i := range count {
		area, err := parseFMAPArea(data[at+fmapHeaderSize+i*fmapAreaSize:], size)
		if err != nil {
			return nil, fmt.Errorf("area %d: %w", i, err)
		}
		if names[area.Name] {
			return nil, fmt.Errorf("area %d: a second one has the name %q", i, area.Name)
		}
		names[area.Name] = true
		areas = append(areas, area)
	}
	return areas, nil
}

func parseFMAPArea(p []byte, size int64) (Region, error) {
	name, err := fixedName(p[8 : 8+fmapNameSize])
	if err != nil {
		return Region{}, err
	}
	r := Region{
		Name: name,
		Range: Range{
			Offset: int64(binary.LittleEndian.Uint32(p)),
			Size:   int64(binary.LittleEndian.Uint32(p[4:])),
		},
		Preserve: binary.LittleEndian.Uint16(p[8+fmapNameSize:])&fmapPreserve != 0,
	}
	if r.End() > size {
		return Region{}, fmt.Errorf("%s ends at %#x, expected at most %#x", name, r.End(), size)
	}
	return r, nil
}

// fixedName reads a name of printable ASCII that zeros end or fill up.
func fixedName(p []byte) (string, error) {
	end := bytes.IndexByte(p, 0)
	if end < 0 {
		end = len(p)
	}
	for _, c := range p[:end] {
		if c <= ' ' || c > '~' {
			return "", fmt.Errorf("name %q: expected printable ASCII", p[:end])
		}
	}
	if end == 0 {
		return "", errors.New("name is empty")
	}
	return string(p[:end]), nil
}
