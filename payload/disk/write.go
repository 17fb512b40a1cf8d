package disk

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

// BootPath is what firmware starts from a disk it knows nothing about.
const BootPath = "EFI/BOOT/BOOTX64.EFI"

const (
	defaultLabel  = "SLIPWAY"
	partitionName = "EFI System"
	maxNameLen    = 255
)

// File is one file of the EFI system partition.
type File struct {
	Path string // relative, with slashes
	Data []byte // not empty
}

// Options says what goes into an image. Only Files is required.
type Options struct {
	Files []File
	Label string    // of the file system, up to 11 characters; "" means SLIPWAY
	Built time.Time // time of every file; zero, or what FAT cannot say, means 1980
}

// Write writes an image to f, which has to be an empty file open for reading and
// writing, and leaves it open. Errors: ErrName, ErrTooLarge, those of the file.
func Write(f *os.File, o Options) error {
	if o.Label == "" {
		o.Label = defaultLabel
	}
	content, err := check(o)
	if err != nil {
		return err
	}
	size, err := partitionSize(content)
	if err != nil {
		return err
	}
	if err := f.Truncate(size + 2*margin); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	id := identity(o)
	if err := writeTable(f, size, id); err != nil {
		return fmt.Errorf("disk: partition table: %w", err)
	}
	if err := writeFiles(f, size, o); err != nil {
		return fmt.Errorf("disk: file system: %w", err)
	}
	if err := finish(f, size, o.Built, binary.LittleEndian.Uint32(id.serial[:])); err != nil {
		return fmt.Errorf("disk: file system: %w", err)
	}
	return nil
}

// check validates the options and returns the space that the files take.
func check(o Options) (int64, error) {
	if len(o.Label) > 11 || strings.ToUpper(o.Label) != o.Label || !plain(o.Label) {
		return 0, fmt.Errorf("disk: label %q: %w: expected up to 11 upper-case ASCII characters", o.Label, ErrName)
	}
	var content int64
	seen := make(map[string]bool)
	for _, f := range o.Files {
		folded := strings.ToLower(f.Path)
		switch {
		case !fs.ValidPath(f.Path) || f.Path == "." || !plain(f.Path) || len(f.Path) > maxNameLen:
			return 0, fmt.Errorf("disk: file %q: %w: expected a clean relative path in ASCII without \" * : < > ? \\ |", f.Path, ErrName)
		case seen[folded]:
			return 0, fmt.Errorf("disk: file %q: %w: it is there twice, FAT ignores case", f.Path, ErrName)
		case len(f.Data) == 0:
			return 0, fmt.Errorf("disk: file %q: expected at least one byte", f.Path)
		}
		seen[folded] = true
		content += int64(len(f.Data))
	}
	return content, nil
}

// plain reports whether a path or label has only characters that FAT allows.
func plain(s string) bool {
	for _, r := range s {
		if r < ' ' || r > '~' || strings.ContainsRune(`"*:<>?\|`, r) {
			return false
		}
	}
	return true
}

// ids are the numbers that make a disk distinct, derived from its content so
// that the same content gives the same image.
type ids struct {
	disk, partition string
	serial          [4]byte
}

func identity(o Options) ids {
	h := sha256.New()
	fmt.Fprintf(h, "slipway disk\x00%s\x00%d\x00", o.Label, o.Built.Unix())
	for _, f := range o.Files {
		fmt.Fprintf(h, "%s\x00%d\x00", f.Path, len(f.Data))
		h.Write(f.Data)
	}
	sum := h.Sum(nil)
	var id ids
	copy(id.serial[:], sum)
	id.disk, id.partition = guid(sum, "disk"), guid(sum, "partition")
	return id
}

// guid makes a UUID of version 8, which is free in form.
func guid(sum []byte, use string) string {
	b := sha256.Sum256(append([]byte(use), sum...))
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func writeTable(f *os.File, size int64, id ids) error {
	table := &gpt.Table{
		GUID:               id.disk,
		ProtectiveMBR:      true,
		LogicalSectorSize:  sectorSize,
		PhysicalSectorSize: sectorSize,
		Partitions: []*gpt.Partition{{
			Index: 1,
			Type:  gpt.EFISystemPartition,
			Name:  partitionName,
			GUID:  id.partition,
			Start: margin / sectorSize,
			End:   uint64(margin+size)/sectorSize - 1,
		}},
	}
	return table.Write(noSync{f}, size+2*margin)
}

// noSync hides Sync: who makes an image decides when to flush it.
type noSync struct{ f *os.File }

func (n noSync) Stat() (fs.FileInfo, error)                { return n.f.Stat() }
func (n noSync) Read(b []byte) (int, error)                { return n.f.Read(b) }
func (n noSync) ReadAt(b []byte, off int64) (int, error)   { return n.f.ReadAt(b, off) }
func (n noSync) WriteAt(b []byte, off int64) (int, error)  { return n.f.WriteAt(b, off) }
func (n noSync) Seek(off int64, whence int) (int64, error) { return n.f.Seek(off, whence) }
func (n noSync) Close() error                              { return nil }

func writeFiles(f *os.File, size int64, o Options) error {
	vol, err := fat32.Create(file.New(noSync{f}, false), size, margin, sectorSize, o.Label, true)
	if err != nil {
		return err
	}
	for _, x := range o.Files {
		if dir := path.Dir(x.Path); dir != "." {
			if err := vol.Mkdir("/" + dir); err != nil {
				return fmt.Errorf("%s: %w", x.Path, err)
			}
		}
		w, err := vol.OpenFile("/"+x.Path, os.O_CREATE|os.O_RDWR)
		if err != nil {
			return fmt.Errorf("%s: %w", x.Path, err)
		}
		// In one call: every call writes both FATs anew.
		if n, err := w.Write(x.Data); err != nil || n != len(x.Data) {
			return fmt.Errorf("%s: wrote %d of %d bytes: %w", x.Path, n, len(x.Data), err)
		}
	}
	return nil
}
