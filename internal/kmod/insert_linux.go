package kmod

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Insert loads a module's ELF image into the running kernel with parameters as
// insmod takes them ("" for none). That it is loaded already is success. The
// error names the module and wraps the errno.
func Insert(image []byte, params string) error {
	err := unix.InitModule(image, params)
	if err == nil || errors.Is(err, unix.EEXIST) {
		return nil
	}
	name := "?"
	if info, err := Modinfo(bytes.NewReader(image)); err == nil && info.Name != "" {
		name = info.Name
	}
	return fmt.Errorf("init_module(%s, %q): %w", name, params, err)
}
