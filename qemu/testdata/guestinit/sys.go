package main

import (
	"syscall"
	"unsafe"
)

// initModule loads a kernel module.
func initModule(image []byte) error {
	params := []byte{0}
	_, _, errno := syscall.Syscall(syscall.SYS_INIT_MODULE,
		uintptr(unsafe.Pointer(&image[0])), uintptr(len(image)), uintptr(unsafe.Pointer(&params[0])))
	if errno != 0 && errno != syscall.EEXIST {
		return errno
	}
	return nil
}

// request is a struct ifreq.
type request struct {
	name [16]byte
	data [24]byte
}

// setUp sets a network interface up.
func setUp(name string) error {
	flags := syscall.IFF_UP | syscall.IFF_RUNNING
	return configure(name, syscall.SIOCSIFFLAGS, []byte{byte(flags), byte(flags >> 8)})
}

// setAddress gives a network interface an IPv4 address of class A.
func setAddress(name string, ip [4]byte) error {
	return configure(name, syscall.SIOCSIFADDR, append([]byte{syscall.AF_INET, 0, 0, 0}, ip[:]...))
}

// configure does an interface ioctl.
func configure(name string, code uintptr, data []byte) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	var r request
	copy(r.name[:15], name)
	copy(r.data[:], data)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), code, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return errno
	}
	return nil
}
