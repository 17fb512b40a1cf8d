package kexecer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
)

// Quiesce takes every network link down and unbinds its driver from the
// device. A card that is left running goes on writing received packets into
// memory that belongs to the next kernel; not every driver stops it in its
// shutdown method. It goes through all links and returns all errors, joined.
// Afterwards this kernel has no network any more.
func Quiesce() error {
	return quiesce("/sys/class/net", linkDown)
}

func linkDown(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetDown(link)
}

func quiesce(class string, down func(name string) error) error {
	links, err := os.ReadDir(class)
	if err != nil {
		return fmt.Errorf("quiesce: %w", err)
	}
	var errs []error
	for _, l := range links {
		if l.Name() == "lo" {
			continue
		}
		if err := down(l.Name()); err != nil {
			errs = append(errs, fmt.Errorf("quiesce: %s: link down: %w", l.Name(), err))
		}
		if err := unbind(filepath.Join(class, l.Name(), "device")); err != nil {
			errs = append(errs, fmt.Errorf("quiesce: %s: %w", l.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// unbind takes the device away from its driver. A link without a device
// (bond, VLAN) or a device without a driver has nothing to unbind.
func unbind(device string) error {
	dev, err := filepath.EvalSymlinks(device)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	driver, err := filepath.EvalSymlinks(filepath.Join(dev, "driver"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(driver, "unbind"), []byte(filepath.Base(dev)), 0)
}
