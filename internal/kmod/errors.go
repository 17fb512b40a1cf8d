package kmod

import "errors"

var (
	// ErrUnknown means that a name is no module of this kernel, and not built in.
	ErrUnknown = errors.New("unknown module")
	// ErrFormat means that an index or a module does not parse.
	ErrFormat = errors.New("bad format")
	// ErrTooLarge means that a file exceeds a limit of this package.
	ErrTooLarge = errors.New("too large")
)
