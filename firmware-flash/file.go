package flash

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// File is an image file that behaves like a chip: programming only clears
// bits. It is for preparing images and for trying out a write.
type File struct {
	file      *os.File
	size      int64
	eraseSize int64
}

// OpenFile opens an image file. eraseSize 0 means DefaultEraseSize. The file
// is locked against others who do the same.
func OpenFile(path string, eraseSize int64) (*File, error) {
	if eraseSize == 0 {
		eraseSize = DefaultEraseSize
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open chip file: %w", err)
	}
	f := &File{file: file, eraseSize: eraseSize}
	if err := f.prepare(); err != nil {
		file.Close()
		return nil, fmt.Errorf("open chip file %s: %w", path, err)
	}
	return f, nil
}

func (f *File) prepare() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: expected a regular file, got %s", ErrGeometry, info.Mode().Type())
	}
	f.size = info.Size()
	if err := checkGeometry(f); err != nil {
		return err
	}
	if err := unix.Flock(int(f.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("flock: in use by another process: %w", err)
	}
	return nil
}

// ReadAt reads from the file.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.file.ReadAt(p, off) }

// Size is the file's size when it was opened.
func (f *File) Size() int64 { return f.size }

// EraseSize is what OpenFile was told.
func (f *File) EraseSize() int64 { return f.eraseSize }

// Erase sets blocks to 0xff.
func (f *File) Erase(off, n int64) error {
	if err := CheckErase(f, off, n); err != nil {
		return err
	}
	blank := make([]byte, n)
	fill(blank, 0xff)
	_, err := f.file.WriteAt(blank, off)
	return err
}

// ProgramAt clears bits. Those that are clear stay so.
func (f *File) ProgramAt(p []byte, off int64) error {
	if err := CheckProgram(f, len(p), off); err != nil {
		return err
	}
	have := make([]byte, len(p))
	if err := readFull(f, have, off); err != nil {
		return err
	}
	for i := range have {
		have[i] &= p[i]
	}
	_, err := f.file.WriteAt(have, off)
	return err
}

// Protected returns nothing: a file opened for writing has no protection.
func (f *File) Protected() ([]Range, error) { return nil, nil }

// Sync writes the file through to its medium.
func (f *File) Sync() error { return f.file.Sync() }

// Close writes the file through and closes it.
func (f *File) Close() error {
	err := f.file.Sync()
	if closeErr := f.file.Close(); err == nil {
		err = closeErr
	}
	return err
}

func fill(p []byte, c byte) {
	for i := range p {
		p[i] = c
	}
}
