package flash

import (
	"fmt"
	"io"
	"os"
)

// ReadImage reads the image of a whole chip from a file. The error is an
// ErrImage if the file is larger than any chip.
func ReadImage(path string) ([]byte, error) {
	data, err := readLimited(path, MaxChipSize)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return data, nil
}

// readLimited reads a whole file of at most limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() <= limit {
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		if err != nil || int64(len(data)) <= limit {
			return data, err
		}
	}
	return nil, fmt.Errorf("%w: %s: expected at most %d bytes, got more", ErrImage, path, limit)
}
