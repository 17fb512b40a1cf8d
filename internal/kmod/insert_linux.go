package kmod

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Insert loads a module's ELF image into the running kernel with parameters as
// insmod takes them ("" for none). That it is loaded already is success, and so
// is ENODEV: with it a module declines a machine without its processor feature
// or device, which is how optimised twins of generic code end. The error names
// the module and wraps the errno.
func Insert(image []byte, params string) error {
	err := unix.InitModule(image, params)
	if err == nil || declined(err) {
		return nil
	}
	name := "?"
	if info, err := Modinfo(bytes.NewReader(image)); err == nil && info.Name != "" {
		name = info.Name
	}
	return fmt.Errorf("init_module(%s, %q): %w", name, params, err)
}

// declined reports whether there is nothing left to do about a module.
func declined(err error) bool { return errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENODEV) }
