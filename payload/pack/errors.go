package pack

import "errors"

var (
	// ErrFormat means that a format is not one that can be built.
	ErrFormat = errors.New("unknown format")
	// ErrUnknown means that a file is nothing that Inspect knows.
	ErrUnknown = errors.New("not a payload")
	// ErrKernel means that a kernel is missing or cannot carry a payload.
	ErrKernel = errors.New("kernel")
)
