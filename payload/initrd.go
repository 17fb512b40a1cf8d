package payload

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-boot/slipway/internal/cpio"
	"github.com/slipway-boot/slipway/internal/layout"
)

// initrd is the next kernel's initramfs while it is put together in memory:
//
//	cpio: /slipway/root.erofs      written while layers arrive, never moved
//	the image's own initramfs      only when it is the one that runs
//	cpio: the runtime and its files
//
// The kernel unpacks archives one after another, so the root can come first,
// where its place is known before anything else is.
type initrd struct {
	file   *os.File
	head   int64 // where the root's cpio header lies
	rootAt int64 // where its bytes begin
	end    int64 // where the next archive goes
}

const (
	rootPerm = 0o444
	initPerm = 0o755
)

// epoch is the time stamp of everything in the hand-over, so that the same
// image gives the same bytes.
var epoch = time.Unix(0, 0)

// newInitrd makes an anonymous file in memory with room for the root's header.
func newInitrd() (*initrd, error) {
	file, err := memfile("initrd")
	if err != nil {
		return nil, err
	}
	r := &initrd{file: file}
	if err := r.start(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func memfile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create(%s) = %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (r *initrd) start() error {
	if err := cpio.NewWriter(r.file, epoch).Dir(layout.HandoffDir, initPerm); err != nil {
		return err
	}
	var err error
	if r.head, err = r.file.Seek(0, io.SeekCurrent); err != nil {
		return err
	}
	header, err := cpio.FileHeader(layout.HandoffRoot, rootPerm, epoch, 0)
	if err != nil {
		return err
	}
	r.rootAt = r.head + int64(len(header))
	return nil
}

// finishRoot writes the header now that the root's size is known, and ends
// its archive.
func (r *initrd) finishRoot(size int64) error {
	header, err := cpio.FileHeader(layout.HandoffRoot, rootPerm, epoch, size)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if _, err := r.file.WriteAt(header, r.head); err != nil {
		return err
	}
	// The gap up to the alignment is a hole, which reads as zeros.
	if _, err := r.file.Seek(cpio.Align(r.rootAt+size), io.SeekStart); err != nil {
		return err
	}
	return r.archive(func(*cpio.Writer) error { return nil })
}

// archive appends one cpio archive.
func (r *initrd) archive(fill func(*cpio.Writer) error) error {
	w := cpio.NewWriter(r.file, epoch)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return r.pad()
}

// appendInitramfs appends the image's own initramfs as it is.
func (r *initrd) appendInitramfs(initramfs io.Reader) error {
	if _, err := io.Copy(r.file, initramfs); err != nil {
		return fmt.Errorf("initramfs: %w", err)
	}
	return r.pad()
}

// pad moves to the next multiple of four, where the kernel looks for another
// archive.
func (r *initrd) pad() error {
	at, err := r.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	r.end = cpio.Align(at)
	if err := r.file.Truncate(r.end); err != nil {
		return err
	}
	_, err = r.file.Seek(r.end, io.SeekStart)
	return err
}

// rootSHA256 hashes the root as it will be handed over.
func (r *initrd) rootSHA256(size int64) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r.file, r.rootAt, size)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Close gives the memory back.
func (r *initrd) Close() { r.file.Close() }
