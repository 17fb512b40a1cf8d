package lab

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// tinyModuleNames are what a root on EROFS with an overlay and a virtio
// machine need; dependencies come along.
func tinyModuleNames() []string {
	return []string{"erofs", "overlay", "loop", "virtio_net", "virtio_blk", "virtio_rng"}
}

// moduleIndexes come with the kernel package; depmod reads them.
func moduleIndexes() []string {
	return []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"}
}

// tinyModules makes a directory with the modules of the tiny image and the
// indexes that depmod makes for them.
func (l *Lab) tinyModules(ctx context.Context, k Kernel) (string, error) {
	depmod, err := tool("depmod", "kmod")
	if err != nil {
		return "", err
	}
	dir, err := l.once(ctx, "tiny-modules_"+k.Release+"_"+k.Version, func(dir string) error {
		full := filepath.Join(dir, "full")
		from := os.DirFS(filepath.Join(k.Tree, k.Modules))
		if err := os.CopyFS(filepath.Join(full, "lib/modules", k.Release), from); err != nil {
			return err
		}
		if _, err := run(ctx, depmod, "-b", full, k.Release); err != nil {
			return err
		}
		index, err := os.ReadFile(filepath.Join(full, "lib/modules", k.Release, "modules.dep"))
		if err != nil {
			return err
		}
		files, err := moduleClosure(string(index), tinyModuleNames())
		if err != nil {
			return err
		}
		small := filepath.Join(dir, "lib/modules", k.Release)
		for _, name := range append(files, moduleIndexes()...) {
			if err := copyFile(from, name, filepath.Join(small, name)); err != nil {
				return err
			}
		}
		if _, err := run(ctx, depmod, "-b", dir, k.Release); err != nil {
			return err
		}
		return os.RemoveAll(full)
	})
	if err != nil {
		return "", fmt.Errorf("modules: %w", err)
	}
	return filepath.Join(dir, "lib/modules", k.Release), nil
}

// moduleClosure picks the named modules and all they depend on out of
// modules.dep, whose lines read "file: file file…".
func moduleClosure(index string, names []string) ([]string, error) {
	deps := map[string][]string{}
	byName := map[string]string{}
	for line := range strings.Lines(index) {
		file, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		deps[file] = strings.Fields(rest)
		name, _, _ := strings.Cut(path.Base(file), ".")
		byName[strings.ReplaceAll(name, "-", "_")] = file
	}
	var files []string
	seen := map[string]bool{}
	add := func(file string) {
		if !seen[file] {
			seen[file] = true
			files = append(files, file)
		}
	}
	for _, name := range names {
		file, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("modules.dep: no module %s", name)
		}
		add(file)
		for _, d := range deps[file] { // depmod lists indirect ones too
			add(d)
		}
	}
	return files, nil
}

func copyFile(from fs.FS, name, to string) error {
	data, err := fs.ReadFile(from, name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// tree adds the regular files below root under the directory to.
func (l *layerWriter) tree(root fs.FS, to string) error {
	return fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		l.file(path.Join(to, name), 0o644, data)
		return nil
	})
}
