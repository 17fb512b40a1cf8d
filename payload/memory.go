package payload

import (
	"fmt"
	"sync"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/oci"
)

// copiesInKernel is how many copies of the next initramfs kexec_file_load(2)
// makes beside the file: the buffer it reads the file into, and the segments.
const copiesInKernel = 2

// keepFree is what the loader and its kernel need beside the image.
const keepFree = 48 << 20

// checkEvery is how many bytes of root are written between two looks at the
// memory that is left.
const checkEvery = 4 << 20

// roomToExtract refuses, before the first layer, an image that cannot fit
// whatever its compression: the root is at least as large as its layers, and
// is held once while it grows and twice more while the kernel loads it.
func roomToExtract(image *oci.Image) error {
	var layers int64
	for _, l := range image.Layers() {
		layers += l.Size
	}
	return needMemory("the layers alone", layers*(1+copiesInKernel)+keepFree)
}

// roomToLoad is the exact sum once all sizes are known.
func roomToLoad(files int64) error {
	return needMemory("kexec", files*copiesInKernel+keepFree)
}

func needMemory(what string, need int64) error {
	free, err := memAvailable()
	if err != nil {
		return err
	}
	if free < need {
		return fmt.Errorf("%w: %s: expected at least %s free, got %s", ErrMemory, what, bootlog.Bytes(need), bootlog.Bytes(free))
	}
	return nil
}

// target is where the root is written: behind the header of its cpio member.
// It stops the writing before the machine runs out of memory, because a
// loader that the kernel cannot kill would bring the whole machine down.
type target struct {
	initrd *initrd
	m      *machine

	mu      sync.Mutex
	written int64
}

func (t *target) WriteAt(p []byte, off int64) (int, error) {
	t.mu.Lock()
	t.written += int64(len(p))
	check := t.written >= checkEvery
	if check {
		t.written = 0
		t.m.watchMemory()
	}
	t.mu.Unlock()
	if check {
		if err := needMemory("writing the root at "+bootlog.Bytes(off), keepFree); err != nil {
			return 0, err
		}
	}
	return t.initrd.file.WriteAt(p, t.initrd.rootAt+off)
}

func (t *target) ReadAt(p []byte, off int64) (int, error) {
	return t.initrd.file.ReadAt(p, t.initrd.rootAt+off)
}

// sum adds up the progress of transfers that run side by side.
type sum struct {
	mu   sync.Mutex
	done map[string]int64
	all  int64
}

func newSum() *sum { return &sum{done: map[string]int64{}} }

// add notes that transfer what has reached n bytes and returns the sum.
func (s *sum) add(what string, n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all += n - s.done[what]
	s.done[what] = n
	return s.all
}
