package lab

import "errors"

var (
	// ErrNotRoot means that packages have to be installed, or a root file
	// system built, and the process is not root.
	ErrNotRoot = errors.New("root rights are needed")

	// ErrNetwork means that no Debian mirror could be reached.
	ErrNetwork = errors.New("mirror not reachable")

	// ErrHost means that the machine is not one the lab works on.
	ErrHost = errors.New("not a Debian amd64 host")

	// ErrLock means that the mirror no longer has a locked package and
	// [Lab.Strict] forbids to take another version.
	ErrLock = errors.New("locked package not available")

	// ErrTool means that a program is missing on the host; the text names
	// the Debian package to install.
	ErrTool = errors.New("program not found")
)
