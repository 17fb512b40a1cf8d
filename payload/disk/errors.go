package disk

import "errors"

var (
	// ErrName means that a file's name cannot be written.
	ErrName = errors.New("bad name")
	// ErrTooLarge means that content does not fit or exceeds a limit.
	ErrTooLarge = errors.New("too large")
	// ErrFormat means that the bytes read are no GPT or no FAT32.
	ErrFormat = errors.New("bad format")
	// ErrNoESP means that a GPT has no EFI system partition.
	ErrNoESP = errors.New("no EFI system partition")
)
