package flash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Defaults of FlashromOptions.
const (
	DefaultFlashromBatch   = 1 << 20
	DefaultFlashromTimeout = 30 * time.Minute
)

// FlashromOptions say how to call flashrom(8).
type FlashromOptions struct {
	// Programmer is the argument of -p, like "internal",
	// "ch341a_spi" or "linux_spi:dev=/dev/spidev0.0". It is mandatory. File
	// names in it must be absolute.
	Programmer string
	// Chip is the argument of -c, for chips that flashrom cannot tell apart.
	// Empty means that flashrom finds out.
	Chip string
	// Program is flashrom itself. Empty means the one in PATH or in /usr/sbin.
	Program string
	// EraseSize is the chip's smallest erase block; flashrom does not tell.
	// 0 means DefaultEraseSize. A multiple of the real size works as well.
	EraseSize int64
	// Batch is how much is written by one call. 0 means DefaultFlashromBatch.
	Batch int64
	// Timeout ends a call that hangs. 0 means DefaultFlashromTimeout.
	Timeout time.Duration
}

// Flashrom is a chip that the program flashrom reads and writes: inside of
// the machine, or clipped to a programmer. flashrom is told to touch exactly
// the bytes asked for and decides nothing: it neither skips, nor erases what
// it was not told to, nor verifies.
type Flashrom struct {
	o       FlashromOptions
	program string
	dir     string
	size    int64
	image   *os.File // all 0xff, but for what a ProgramAt in progress writes
}

// Names of the files in Flashrom.dir. What programs is compared with blank, so
// flashrom believes that the chip is erased and sends page writes only.
const (
	flashromLayout = "layout"
	flashromPart   = "part"
	flashromImage  = "image"
	flashromBlank  = "blank"
	flashromRange  = "slipway" // the one range in the layout
)

// OpenFlashrom asks flashrom for the chip. The context bounds the search only.
// Close removes the temporary files, a little more than two images of the chip.
func OpenFlashrom(ctx context.Context, o FlashromOptions) (*Flashrom, error) {
	f, err := newFlashrom(o)
	if err != nil {
		return nil, fmt.Errorf("open flashrom chip: %w", err)
	}
	if err := f.open(ctx); err != nil {
		f.Close()
		return nil, fmt.Errorf("open flashrom chip: %w", err)
	}
	return f, nil
}

func newFlashrom(o FlashromOptions) (*Flashrom, error) {
	if o.Programmer == "" {
		return nil, fmt.Errorf("%w: no programmer named (flashrom -p)", ErrTool)
	}
	if o.EraseSize == 0 {
		o.EraseSize = DefaultEraseSize
	}
	if o.Batch == 0 {
		o.Batch = DefaultFlashromBatch
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultFlashromTimeout
	}
	program, err := findFlashrom(o.Program)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "slipway-flash-")
	if err != nil {
		return nil, err
	}
	f := &Flashrom{o: o, program: program, dir: dir}
	if strings.Contains(dir, ":") { // separates region and file in flashrom -i
		f.Close()
		return nil, fmt.Errorf("%w: flashrom cannot use the temporary directory %q", ErrTool, dir)
	}
	return f, nil
}

func (f *Flashrom) open(ctx context.Context) error {
	if err := f.identify(ctx); err != nil {
		return err
	}
	if err := checkGeometry(f); err != nil {
		return err
	}
	blank := bytes.Repeat([]byte{0xff}, int(f.size))
	for _, name := range []string{flashromBlank, flashromImage} {
		if err := os.WriteFile(f.path(name), blank, 0o600); err != nil {
			return err
		}
	}
	image, err := os.OpenFile(f.path(flashromImage), os.O_RDWR, 0)
	f.image = image
	return err
}

// identify learns the chip's name and size. With the name no later call tries
// all the others, which takes a hundred times as long.
func (f *Flashrom) identify(ctx context.Context) error {
	if f.o.Chip == "" {
		out, err := f.run(ctx, "--flash-name")
		if err != nil {
			return err
		}
		name := regexp.MustCompile(`name="([^"]+)"\s*$`).FindStringSubmatch(out)
		if name == nil {
			return fmt.Errorf("%w: flashrom --flash-name: expected a name, got %q", ErrTool, reason(out))
		}
		f.o.Chip = name[1]
	}
	out, err := f.run(ctx, "--flash-size")
	if err != nil {
		return err
	}
	words := strings.Fields(out)
	if len(words) == 0 {
		return fmt.Errorf("%w: flashrom --flash-size: expected a number, got nothing", ErrTool)
	}
	f.size, err = strconv.ParseInt(words[len(words)-1], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: flashrom --flash-size: %w", ErrTool, err)
	}
	return nil
}

// Name is the chip's name as flashrom's -c takes it.
func (f *Flashrom) Name() string { return f.o.Chip }

// Size is what flashrom says.
func (f *Flashrom) Size() int64 { return f.size }

// EraseSize is what OpenFlashrom was told.
func (f *Flashrom) EraseSize() int64 { return f.o.EraseSize }

// Batch is what OpenFlashrom was told: every call searches the chip anew.
func (f *Flashrom) Batch() int64 { return f.o.Batch }

// ReadAt reads exactly the range asked for.
func (f *Flashrom) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), f.size-off)
	if off < 0 || n < 0 {
		return 0, fmt.Errorf("read at %#x: %w", off, io.EOF)
	}
	if n > 0 {
		part := f.path(flashromPart)
		err := f.runOn(Range{off, n}, flashromRange+":"+part, "-r", os.DevNull)
		if err != nil {
			return 0, err
		}
		data, err := os.ReadFile(part)
		if err != nil {
			return 0, err
		}
		if int64(len(data)) != n {
			return 0, fmt.Errorf("%w: flashrom -r: expected %d bytes, got %d", ErrTool, n, len(data))
		}
		copy(p, data)
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// Erase erases exactly the range asked for.
func (f *Flashrom) Erase(off, n int64) error {
	if err := CheckErase(f, off, n); err != nil || n == 0 {
		return err
	}
	return f.runOn(Range{off, n}, flashromRange, "-E")
}

// ProgramAt sends page writes for what is not 0xff in p.
func (f *Flashrom) ProgramAt(p []byte, off int64) error {
	if err := CheckProgram(f, len(p), off); err != nil || len(p) == 0 {
		return err
	}
	_, err := f.image.WriteAt(p, off)
	if err == nil {
		err = f.runOn(Range{off, int64(len(p))}, flashromRange,
			"--flash-contents", f.path(flashromBlank), "--noverify", "-w", f.path(flashromImage))
	}
	_, blankErr := f.image.WriteAt(bytes.Repeat([]byte{0xff}, len(p)), off)
	return errors.Join(err, blankErr)
}

// Close removes the temporary files.
func (f *Flashrom) Close() error {
	if f.image != nil {
		f.image.Close()
	}
	return os.RemoveAll(f.dir)
}

// runOn runs flashrom on one range. The context is new: a chip must not be
// left in the middle of an operation.
func (f *Flashrom) runOn(r Range, include string, args ...string) error {
	layout := fmt.Sprintf("%08x:%08x %s\n", r.Offset, r.End()-1, flashromRange)
	if err := os.WriteFile(f.path(flashromLayout), []byte(layout), 0o600); err != nil {
		return err
	}
	args = append([]string{"-l", f.path(flashromLayout), "-i", include}, args...)
	_, err := f.run(context.Background(), args...)
	return err
}

func (f *Flashrom) path(name string) string { return filepath.Join(f.dir, name) }
