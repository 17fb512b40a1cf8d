// Package kexecer starts the next kernel: it builds and checks command lines
// as the kernel reads them, loads a kernel and an initramfs with
// kexec_file_load(2), brings network devices to rest so that none writes
// into the next kernel's memory, and jumps.
//
// Load takes any two files: that only verified ones reach it is the caller's
// duty (package payload is the only caller). Loading wants CAP_SYS_BOOT.
//
// It does not support kexec_load(2): that call is refused under lockdown and
// loses the EFI tables.
package kexecer
