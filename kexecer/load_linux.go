package kexecer

import (
	"errors"
	"fmt"
	"os"

	"github.com/u-root/u-root/pkg/boot/kexec"
	"golang.org/x/sys/unix"
)

// Refusals of the kernel, told apart because the next step differs.
var (
	// ErrRefused: the kernel does not take this image (not a kernel, wrong
	// architecture, or a bad signature under lockdown).
	ErrRefused = errors.New("the kernel refuses this image")
	// ErrNotPermitted: lockdown or a missing capability forbids kexec.
	ErrNotPermitted = errors.New("kexec is not permitted")
	// ErrMemory: there is no room for the image.
	ErrMemory = errors.New("not enough memory to load the next kernel")
	// ErrUnsupported: this kernel was built without kexec_file_load.
	ErrUnsupported = errors.New("this kernel has no kexec_file_load")
)

// reasons sorts the errors of kexec_file_load(2) (kernel/kexec_file.c).
var reasons = map[unix.Errno]error{
	unix.ENOEXEC:       ErrRefused,
	unix.EINVAL:        ErrRefused,
	unix.EBADMSG:       ErrRefused,
	unix.EKEYREJECTED:  ErrRefused, // signed by a key the kernel does not trust
	unix.ENODATA:       ErrRefused, // not signed, and a signature is wanted
	unix.ENOKEY:        ErrRefused,
	unix.EPERM:         ErrNotPermitted,
	unix.ENOMEM:        ErrMemory,
	unix.EADDRNOTAVAIL: ErrMemory,
	unix.ENOSYS:        ErrUnsupported,
}

// Loaded is a kernel that waits in memory for Exec.
type Loaded struct{ ok bool }

// Load hands kernel (a bzImage), initrd and the command line to
// kexec_file_load(2). The files may be closed afterwards. Its errors wrap
// ErrRefused, ErrNotPermitted, ErrMemory or ErrUnsupported, and ErrCmdline if
// cmdline is too long.
func Load(kernel, initrd *os.File, cmdline string) (*Loaded, error) {
	if len(cmdline) > MaxCmdline {
		return nil, fmt.Errorf("%w: expected at most %d bytes, got %d", ErrCmdline, MaxCmdline, len(cmdline))
	}
	err := kexec.FileLoad(kernel, initrd, cmdline)
	if err == nil {
		return &Loaded{ok: true}, nil
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		if reason, ok := reasons[errno]; ok {
			return nil, fmt.Errorf("kexec_file_load(%s, %s, %d bytes of command line) = %w: %w",
				kernel.Name(), initrd.Name(), len(cmdline), errno, reason)
		}
	}
	return nil, fmt.Errorf("kexec_file_load(%s, %s): %w", kernel.Name(), initrd.Name(), err)
}

// Exec jumps into the loaded kernel. It returns only if that fails.
func (l *Loaded) Exec() error {
	if l == nil || !l.ok {
		return errors.New("exec: no kernel is loaded")
	}
	unix.Sync()
	if err := kexec.Reboot(); err != nil {
		return fmt.Errorf("reboot(LINUX_REBOOT_CMD_KEXEC): %w", err)
	}
	return errors.New("reboot(LINUX_REBOOT_CMD_KEXEC): returned without an error")
}
