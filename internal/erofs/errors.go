package erofs

import "errors"

var (
	// ErrTooLarge means that the image would exceed Writer.MaxSize or what
	// the format can hold.
	ErrTooLarge = errors.New("image too large")

	// ErrNode means that the tree given to Close cannot be represented.
	ErrNode = errors.New("invalid node")
)
