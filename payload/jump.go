package payload

import (
	"runtime/debug"
	"time"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/kexecer"
)

// load is step 6: the kernel takes its copy of both files.
func (m *machine) load(f *files) (_ *kexecer.Loaded, err error) {
	s := m.begin(6, "load")
	defer s.end(&err)
	defer f.kernel.Close()
	defer f.initrd.Close()
	debug.FreeOSMemory() // what extracting needed, the kernel needs now
	if err := roomToLoad(f.initrdSize + f.kernelSize); err != nil {
		return nil, err
	}
	loaded, err := kexecer.Load(f.kernel, f.initrd, m.cmdline)
	if err != nil {
		return nil, err
	}
	s.Done("kernel %s, %s", m.root.release, bootlog.Bytes(f.kernelSize+f.initrdSize))
	return loaded, nil
}

// settle lets the last console line leave a slow serial port.
const settle = 100 * time.Millisecond

// jump is step 7. Network cards are brought to rest first: one that went on
// receiving would write into the next kernel's memory.
func (m *machine) jump(loaded *kexecer.Loaded) (err error) {
	s := m.begin(7, "jump")
	defer s.end(&err)
	if err := kexecer.Quiesce(); err != nil {
		s.Printf("warning: %v", err)
	}
	s.Done("%s", m.cmdline)
	time.Sleep(settle)
	return loaded.Exec()
}
