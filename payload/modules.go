package payload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/layout"
)

// modules loads the drivers the payload brings.
type modules struct {
	index *kmod.Index // nil: the kernel has everything built in
	tried map[string]bool
}

// coldplugRounds is how often buses are searched again after new drivers: a
// bridge shows its devices only when its own driver is there.
const coldplugRounds = 8

// busSettle is how long new devices get to appear behind a new driver.
const busSettle = 50 * time.Millisecond

// openModules reads the module index of the running kernel. A payload without
// modules is one whose kernel has its drivers built in.
func openModules(payload fs.FS) (*modules, error) {
	m := &modules{tried: map[string]bool{}}
	dir := path.Join(layout.Modules, kmod.Release())
	if _, err := fs.Stat(payload, dir); errors.Is(err, fs.ErrNotExist) {
		if others, _ := fs.ReadDir(payload, layout.Modules); len(others) > 0 {
			return nil, fmt.Errorf("modules: expected %s, found %s: the payload's modules are for another kernel", dir, others[0].Name())
		}
		return m, nil
	}
	var err error
	if m.index, err = kmod.Open(payload, dir); err != nil {
		return nil, fmt.Errorf("modules: %w", err)
	}
	return m, nil
}

// coldplug loads a module for every device whose modalias one claims. A
// driver that fails is reported and does not stop the others.
func (m *modules) coldplug() []error {
	var errs []error
	for range coldplugRounds {
		before := len(m.tried)
		for _, alias := range modaliases("/sys/devices") {
			if m.index == nil || m.tried["alias "+alias] {
				continue
			}
			m.tried["alias "+alias] = true
			for _, name := range m.index.Match(alias) {
				if err := m.load(name); err != nil {
					errs = append(errs, err)
				}
			}
		}
		if len(m.tried) == before {
			break
		}
		time.Sleep(busSettle)
	}
	return errs
}

// load inserts a module and what it depends on. It goes on after one that
// fails, which may be a soft dependency that this machine does not need.
func (m *modules) load(name string) error {
	if m.index == nil || m.tried[name] {
		return nil
	}
	m.tried[name] = true
	files, err := m.index.Closure(name)
	if err != nil {
		return fmt.Errorf("modules: %w", err)
	}
	var errs []error
	for _, file := range files {
		if !m.tried[file] {
			m.tried[file] = true
			errs = append(errs, m.insert(file))
		}
	}
	return errors.Join(errs...)
}

func (m *modules) insert(file string) error {
	image, err := m.index.Read(file)
	if err != nil {
		return fmt.Errorf("modules: %w", err)
	}
	if err := kmod.Insert(image, ""); err != nil {
		return fmt.Errorf("modules: %s: %w", file, err)
	}
	return nil
}

// modaliases returns the alias of every device below dir.
func modaliases(dir string) []string {
	var out []string
	root := os.DirFS(dir)
	_ = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "modalias" {
			return nil // a device that went away meanwhile
		}
		if data, err := fs.ReadFile(root, name); err == nil && len(data) > 0 {
			out = append(out, strings.TrimSpace(string(data)))
		}
		return nil
	})
	return out
}
