package disk

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"
)

const (
	dirEntryLen = 32
	maxDirents  = 65536 // in one volume
	maxDepth    = 16
	maxFAT      = 256 << 20 // bytes of one FAT

	attrLabel = 0x08
	attrDir   = 0x10
	attrLong  = 0x0f

	firstCluster = 2
	endOfChain   = 0x0ffffff8
	clusterMask  = 0x0fffffff

	entryFree = 0xe5
	entryLast = 0x00
)

// volume is a FAT32 file system.
type volume struct {
	r        io.ReaderAt
	fat      []byte
	data     int64  // where cluster 2 begins
	cluster  int64  // bytes
	clusters uint32 // one more than the highest cluster number
	root     uint32
}

// openVolume reads the boot sector and the first FAT.
func openVolume(r io.ReaderAt, size int64) (*volume, error) {
	b := make([]byte, sectorSize)
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("%w: boot sector: %w", ErrFormat, err)
	}
	le := binary.LittleEndian
	sector, perCluster, reserved := int64(le.Uint16(b[11:])), int64(b[13]), int64(le.Uint16(b[14:]))
	fats, sectors, fatSectors := int64(b[16]), int64(le.Uint32(b[32:])), int64(le.Uint32(b[36:]))
	switch {
	case b[510] != 0x55 || b[511] != 0xaa || le.Uint16(b[22:]) != 0 || fatSectors == 0:
		return nil, fmt.Errorf("%w: expected FAT32", ErrFormat)
	case sector != sectorSize || perCluster == 0 || fats == 0 || reserved == 0:
		return nil, fmt.Errorf("%w: FAT32: %d bytes a sector, %d sectors a cluster, %d FATs", ErrFormat, sector, perCluster, fats)
	case sectors*sectorSize > size || fatSectors*sectorSize > maxFAT:
		return nil, fmt.Errorf("%w: FAT32: %d sectors, %d of them for a FAT, in a partition of %d", ErrFormat, sectors, fatSectors, size/sectorSize)
	}
	data := reserved + fats*fatSectors
	if data >= sectors {
		return nil, fmt.Errorf("%w: FAT32: no sectors left for data", ErrFormat)
	}
	v := &volume{r: r, fat: make([]byte, fatSectors*sectorSize), data: data * sectorSize, cluster: perCluster * sectorSize, root: le.Uint32(b[44:])}
	v.clusters = uint32(min((sectors-data)/perCluster+firstCluster, int64(len(v.fat)/fatEntry)))
	if _, err := r.ReadAt(v.fat, reserved*sectorSize); err != nil {
		return nil, fmt.Errorf("%w: FAT: %w", ErrFormat, err)
	}
	return v, nil
}

// free counts the free clusters and returns the first of them.
func (v *volume) free() (count, next uint32) {
	for c := v.clusters - 1; c >= firstCluster; c-- {
		if binary.LittleEndian.Uint32(v.fat[c*fatEntry:])&clusterMask == 0 {
			count, next = count+1, c
		}
	}
	return count, next
}

// extent is a run of bytes of the volume.
type extent struct{ at, size int64 }

// chain returns where a file's clusters lie, neighbours joined.
func (v *volume) chain(cluster uint32) ([]extent, error) {
	var list []extent
	for n := uint32(0); cluster < endOfChain; n++ {
		if cluster < firstCluster || cluster >= v.clusters || n >= v.clusters {
			return nil, fmt.Errorf("%w: FAT32: cluster %d is outside the volume or in a circle", ErrFormat, cluster)
		}
		at := v.data + int64(cluster-firstCluster)*v.cluster
		if k := len(list) - 1; k >= 0 && list[k].at+list[k].size == at {
			list[k].size += v.cluster
		} else {
			list = append(list, extent{at, v.cluster})
		}
		cluster = binary.LittleEndian.Uint32(v.fat[cluster*fatEntry:]) & clusterMask
	}
	return list, nil
}

// dirent is one directory entry.
type dirent struct {
	path    string // of the file or directory; "" for a label and for . and ..
	at      int64  // of its 32 bytes in the volume
	attr    byte
	cluster uint32
	size    uint32
	date    uint16
	clock   uint16
}

func (e dirent) isDir() bool { return e.attr&attrDir != 0 }

func (e dirent) modTime() time.Time {
	return time.Date(1980+int(e.date>>9), time.Month(e.date>>5&15), int(e.date&31),
		int(e.clock>>11), int(e.clock>>5&63), int(e.clock&31)*2, 0, time.UTC)
}

// walk calls visit for every entry, directories before what is in them.
func (v *volume) walk(visit func(dirent) error) error {
	w := walker{v: v, visit: visit, dirs: make(map[uint32]bool)}
	return w.dir("", v.root, 0)
}

type walker struct {
	v     *volume
	visit func(dirent) error
	count int
	dirs  map[uint32]bool // by first cluster
}

func (w *walker) dir(prefix string, cluster uint32, depth int) error {
	if depth > maxDepth || w.dirs[cluster] {
		return fmt.Errorf("%w: FAT32: directory %q is too deep or in a circle", ErrFormat, prefix)
	}
	w.dirs[cluster] = true
	extents, err := w.v.chain(cluster)
	if err != nil {
		return err
	}
	var sub []dirent
	var long longName
	b := make([]byte, dirEntryLen)
	for _, x := range extents {
		for at := x.at; at < x.at+x.size; at += dirEntryLen {
			if _, err := w.v.r.ReadAt(b, at); err != nil {
				return fmt.Errorf("%w: directory %q: %w", ErrFormat, prefix, err)
			}
			if b[0] == entryLast {
				return w.subdirs(sub, depth)
			}
			if w.count++; w.count > maxDirents {
				return fmt.Errorf("%w: expected at most %d directory entries", ErrTooLarge, maxDirents)
			}
			if b[0] == entryFree || b[11]&0x3f == attrLong {
				long.add(b)
				continue
			}
			e := w.entry(prefix, b, at, long.take())
			if err := w.visit(e); err != nil {
				return err
			}
			if e.isDir() && e.path != "" {
				sub = append(sub, e)
			}
		}
	}
	return w.subdirs(sub, depth)
}

func (w *walker) subdirs(sub []dirent, depth int) error {
	for _, e := range sub {
		if err := w.dir(e.path+"/", e.cluster, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(prefix string, b []byte, at int64, name string) dirent {
	le := binary.LittleEndian
	e := dirent{
		at: at, attr: b[11], size: le.Uint32(b[28:]), date: le.Uint16(b[24:]), clock: le.Uint16(b[22:]),
		cluster: uint32(le.Uint16(b[20:]))<<16 | uint32(le.Uint16(b[26:])),
	}
	if e.attr&attrLabel != 0 || b[0] == '.' {
		return e
	}
	if name == "" {
		name = shortName(b)
	}
	e.path = prefix + name
	return e
}

// shortName reads a name of 8 and 3 characters. Two bits say that a part is in
// lower case.
func shortName(b []byte) string {
	base, ext := strings.TrimRight(string(b[:8]), " "), strings.TrimRight(string(b[8:11]), " ")
	if b[12]&0x08 != 0 {
		base = strings.ToLower(base)
	}
	if b[12]&0x10 != 0 {
		ext = strings.ToLower(ext)
	}
	if ext != "" {
		base += "." + ext
	}
	return base
}

// longName collects the entries of a long name, which stand in front of the
// short one with the last part first.
type longName struct{ units []uint16 }

const maxLongName = 20 * 13 // UTF-16 units

func (l *longName) add(b []byte) {
	if b[0] == entryFree || b[0]&0x40 != 0 {
		l.units = nil
	}
	if b[0] == entryFree || len(l.units) >= maxLongName {
		return
	}
	var part []uint16
	for _, at := range [...]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
		u := binary.LittleEndian.Uint16(b[at:])
		if u == 0 || u == 0xffff {
			break
		}
		part = append(part, u)
	}
	l.units = append(part, l.units...)
}

func (l *longName) take() string {
	name := string(utf16.Decode(l.units))
	l.units = nil
	return name
}
