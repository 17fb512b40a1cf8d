//go:build unix && !linux

package qemu

import "syscall"

// processAttributes gives QEMU its own process group unless a person uses its
// console. Only Linux can tie its life to this process.
func processAttributes(terminal bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: !terminal}
}

// rssUnit is the unit of rusage's ru_maxrss in bytes.
const rssUnit = 1
