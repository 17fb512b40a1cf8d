package flash

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MTD is a chip (or a partition of one) that the kernel drives.
type MTD struct {
	dev  mtdDevice
	info unix.MtdInfo
}

// mtdDevice is what the kernel offers for one character device.
type mtdDevice interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Sync() error
	Close() error
	Info() (unix.MtdInfo, error)
	EraseBlocks(unix.EraseInfo) error
	IsLocked(unix.EraseInfo) (bool, error)
}

// OpenMTD opens a device like /dev/mtd0 for reading and writing. Many drivers
// (spi_intel among them) give out a read-only device until their parameter
// writeable=1 is set: that one can be opened, and is protected as a whole.
func OpenMTD(path string) (*MTD, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EROFS) {
		file, err = os.OpenFile(path, os.O_RDONLY, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open MTD device: %w", err)
	}
	m, err := newMTD(mtdFile{file})
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open MTD device %s: %w", path, err)
	}
	return m, nil
}

func newMTD(dev mtdDevice) (*MTD, error) {
	info, err := dev.Info()
	if err != nil {
		return nil, err
	}
	switch info.Type {
	case unix.MTD_NORFLASH, unix.MTD_RAM: // RAM is the kernel's test device
	default:
		return nil, fmt.Errorf("%w: expected NOR flash (type %d), got type %d",
			ErrGeometry, unix.MTD_NORFLASH, info.Type)
	}
	m := &MTD{dev, info}
	return m, checkGeometry(m)
}

// ReadAt reads from the chip.
func (m *MTD) ReadAt(p []byte, off int64) (int, error) { return m.dev.ReadAt(p, off) }

// Size is the device's size.
func (m *MTD) Size() int64 { return int64(m.info.Size) }

// EraseSize is the driver's erase size.
func (m *MTD) EraseSize() int64 { return int64(m.info.Erasesize) }

// Erase erases blocks, one call into the kernel each.
func (m *MTD) Erase(off, n int64) error {
	if err := CheckErase(m, off, n); err != nil {
		return err
	}
	for end := off + n; off < end; off += m.EraseSize() {
		if err := m.dev.EraseBlocks(m.block(off)); err != nil {
			return err
		}
	}
	return nil
}

// ProgramAt writes to the chip.
func (m *MTD) ProgramAt(p []byte, off int64) error {
	if err := CheckProgram(m, len(p), off); err != nil {
		return err
	}
	_, err := m.dev.WriteAt(p, off)
	return err
}

// Protected asks for every block whether it is locked.
func (m *MTD) Protected() ([]Range, error) {
	if m.info.Flags&unix.MTD_WRITEABLE == 0 {
		return []Range{{0, m.Size()}}, nil
	}
	var out []Range
	for off := int64(0); off < m.Size(); off += m.EraseSize() {
		locked, err := m.dev.IsLocked(m.block(off))
		if errors.Is(err, unix.EOPNOTSUPP) {
			return nil, fmt.Errorf("%w: the driver cannot tell what is locked", errors.ErrUnsupported)
		} else if err != nil {
			return nil, err
		}
		if locked {
			out = appendRange(out, Range{off, m.EraseSize()})
		}
	}
	return out, nil
}

// Sync waits until the driver has written everything.
func (m *MTD) Sync() error { return m.dev.Sync() }

// Close closes the device.
func (m *MTD) Close() error { return m.dev.Close() }

func (m *MTD) block(off int64) unix.EraseInfo {
	return unix.EraseInfo{Start: uint32(off), Length: m.info.Erasesize}
}

// mtdFile makes the calls of mtdDevice on an open device.
type mtdFile struct{ *os.File }

// Info is MEMGETINFO.
func (f mtdFile) Info() (unix.MtdInfo, error) {
	var info unix.MtdInfo
	_, err := f.ioctl(unix.MEMGETINFO, unsafe.Pointer(&info))
	if err != nil {
		return info, fmt.Errorf("ioctl(MEMGETINFO): %w", err)
	}
	return info, nil
}

// EraseBlocks is MEMERASE.
func (f mtdFile) EraseBlocks(blocks unix.EraseInfo) error {
	if _, err := f.ioctl(unix.MEMERASE, unsafe.Pointer(&blocks)); err != nil {
		return fmt.Errorf("ioctl(MEMERASE, {%#x, %#x}): %w", blocks.Start, blocks.Length, err)
	}
	return nil
}

// IsLocked is MEMISLOCKED.
func (f mtdFile) IsLocked(blocks unix.EraseInfo) (bool, error) {
	n, err := f.ioctl(unix.MEMISLOCKED, unsafe.Pointer(&blocks))
	if err != nil {
		return false, fmt.Errorf("ioctl(MEMISLOCKED, {%#x, %#x}): %w", blocks.Start, blocks.Length, err)
	}
	return n != 0, nil
}

func (f mtdFile) ioctl(request uintptr, arg unsafe.Pointer) (uintptr, error) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(arg))
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}
