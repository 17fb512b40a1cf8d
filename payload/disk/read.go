package disk

import (
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strings"
	"time"
)

// Entry is a file of an EFI system partition.
type Entry struct {
	Path    string    `json:"path"`
	Size    int64     `json:"size"`
	ModTime time.Time `json:"mod_time"`
}

// ESP is the EFI system partition of a disk image.
type ESP struct {
	vol   *volume
	files []dirent
}

// Open finds the EFI system partition of an image of size bytes and lists it.
// Errors: ErrFormat, ErrNoESP, ErrTooLarge.
func Open(r io.ReaderAt, size int64) (*ESP, error) {
	part, err := findESP(r, size)
	if err != nil {
		return nil, fmt.Errorf("disk: %w", err)
	}
	e := &ESP{}
	if e.vol, err = openVolume(part, part.Size()); err != nil {
		return nil, fmt.Errorf("disk: EFI system partition: %w", err)
	}
	err = e.vol.walk(func(d dirent) error {
		if d.path != "" && !d.isDir() {
			e.files = append(e.files, d)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("disk: EFI system partition: %w", err)
	}
	return e, nil
}

// Files lists all files.
func (e *ESP) Files() []Entry {
	list := make([]Entry, 0, len(e.files))
	for _, d := range e.files {
		list = append(list, Entry{d.path, int64(d.size), d.modTime()})
	}
	return list
}

// Open returns a file's content. Like FAT, it ignores case. Errors:
// fs.ErrNotExist, ErrFormat.
func (e *ESP) Open(path string) (*io.SectionReader, error) {
	for _, d := range e.files {
		if !strings.EqualFold(d.path, path) {
			continue
		}
		var r extents
		if d.size > 0 {
			list, err := e.vol.chain(d.cluster)
			if err != nil {
				return nil, fmt.Errorf("disk: %s: %w", path, err)
			}
			r = newExtents(e.vol.r, list)
		}
		if r.size < int64(d.size) {
			return nil, fmt.Errorf("disk: %s: %w: expected %d bytes, its clusters hold %d", path, ErrFormat, d.size, r.size)
		}
		return io.NewSectionReader(r, 0, int64(d.size)), nil
	}
	return nil, fmt.Errorf("disk: %s: %w", path, fs.ErrNotExist)
}

// extents reads scattered clusters as one file.
type extents struct {
	r     io.ReaderAt
	list  []extent
	start []int64 // of each extent in the file
	size  int64
}

func newExtents(r io.ReaderAt, list []extent) extents {
	x := extents{r: r, list: list}
	for _, e := range list {
		x.start = append(x.start, x.size)
		x.size += e.size
	}
	return x
}

// ReadAt implements io.ReaderAt.
func (x extents) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	i := sort.Search(len(x.start), func(i int) bool { return x.start[i] > off }) - 1
	for ; n < len(p) && i >= 0 && i < len(x.list); i++ {
		skip := off + int64(n) - x.start[i]
		if skip >= x.list[i].size {
			break
		}
		want := min(int64(len(p)-n), x.list[i].size-skip)
		m, err := x.r.ReadAt(p[n:n+int(want)], x.list[i].at+skip)
		n += m
		if int64(m) < want {
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
