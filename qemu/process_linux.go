package qemu

import "syscall"

// processAttributes makes the kernel end QEMU when this process dies, however
// it dies. Without a terminal QEMU gets its own process group, so that a
// Ctrl-C meant for this process does not end the machine behind its back; with
// one it must stay in the foreground group, and is ended gently because it
// has the terminal's modes to put back.
func processAttributes(terminal bool) *syscall.SysProcAttr {
	if terminal {
		return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// rssUnit is the unit of rusage's ru_maxrss in bytes.
const rssUnit = 1024
