package uki

import "errors"

var (
	// ErrFormat means that a file is not what it has to be: PE, bzImage.
	ErrFormat = errors.New("bad format")
	// ErrNotUKI means that a PE file carries no kernel.
	ErrNotUKI = errors.New("not a unified kernel image")
	// ErrMachine means that the stub and the kernel are for different machines.
	ErrMachine = errors.New("wrong machine")
	// ErrTooLarge means that something exceeds a limit of PE or of this package.
	ErrTooLarge = errors.New("too large")
	// ErrCmdline means that the kernel cannot take a command line.
	ErrCmdline = errors.New("bad command line")
)
