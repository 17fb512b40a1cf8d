package cpio

import "errors"

var (
	// ErrName means that a member's name or link target cannot be written.
	ErrName = errors.New("bad name")
	// ErrTooLarge means that a number does not fit the format or a limit.
	ErrTooLarge = errors.New("too large")
	// ErrFormat means that the bytes read are not a newc archive.
	ErrFormat = errors.New("not a newc cpio archive")
)
