package kmod

import "golang.org/x/sys/unix"

// Release returns the release of the running kernel, as uname -r prints it:
// the name of its modules' directory. It is "" if the kernel does not tell.
func Release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
