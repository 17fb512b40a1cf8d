package payload

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/internal/cpio"
	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/layout"
)

// rootModules are what the runtime needs to mount the root; they come from
// the image, for the image's kernel.
var rootModules = []string{"erofs", "loop", "overlay"}

// files is what the next kernel gets.
type files struct {
	kernel, initrd         *os.File
	kernelSize, initrdSize int64
}

// handOff is step 5: one initramfs for the next kernel, and its command line.
func (m *machine) handOff(b *Bundle) (_ *files, err error) {
	s := m.begin(5, "hand off")
	defer s.end(&err)
	var kernel *os.File
	defer func() {
		if err != nil { // another attempt needs the memory
			b.initrd.Close()
			kernel.Close()
		}
	}()
	m.root = rootFacts{way: RootWay(m.conf), size: b.RootSize, release: b.Release}
	m.args, m.cmdline, err = NextCmdline(b.Kargs, m.conf, m.policy.Boot(), m.image.Digest())
	if err != nil {
		return nil, err
	}
	if err := b.initrd.finishRoot(b.RootSize); err != nil {
		return nil, err
	}
	if m.conf.CheckRoot {
		if m.root.sha256, err = b.initrd.rootSHA256(b.RootSize); err != nil {
			return nil, err
		}
	}
	if err := b.appendImage(m.root.way); err != nil {
		return nil, err
	}
	modules, err := readModules(b)
	if err != nil {
		return nil, err
	}
	if kernel, err = memfile("kernel"); err != nil {
		return nil, err
	}
	if _, err := io.Copy(kernel, b.Kernel); err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	s.Done("root by %s, %d modules, %s to hand over", m.root.way, len(modules), bootlog.Bytes(b.initrd.end))
	if err := b.initrd.archive(func(w *cpio.Writer) error { return m.writeRuntime(w, modules) }); err != nil {
		return nil, err
	}
	return &files{kernel: kernel, initrd: b.initrd.file, kernelSize: b.Kernel.Size(), initrdSize: b.initrd.end}, nil
}

// appendImage appends what the next kernel needs of the image's initramfs: all
// of it, or only the processor's microcode.
func (b *Bundle) appendImage(way string) error {
	if way == rootInitrd {
		return b.initrd.appendInitramfs(b.Initramfs)
	}
	updates, err := microcode(b.Initramfs)
	if err != nil || len(updates) == 0 {
		return err
	}
	return b.initrd.archive(func(w *cpio.Writer) error { return writeRows(w, updates) })
}

// module is one kernel module for the runtime.
type module struct {
	name  string // below layout.HandoffModules
	image []byte
}

// readModules takes the modules that mounting the root needs from the image.
// What its kernel has built in is not among them.
func readModules(b *Bundle) ([]module, error) {
	index, err := kmod.Open(b.Root, path.Join("usr/lib/modules", b.Release))
	if err != nil {
		return nil, fmt.Errorf("modules: %w", err)
	}
	paths, err := index.Closure(rootModules...)
	if err != nil {
		return nil, fmt.Errorf("modules: %w", err)
	}
	var out []module
	for i, p := range paths {
		image, err := index.Read(p)
		if err != nil {
			return nil, fmt.Errorf("modules: %w", err)
		}
		out = append(out, module{fmt.Sprintf("%02d-%s", i, path.Base(kmod.PlainPath(p))), image})
	}
	return out, nil
}

// writeRuntime puts the second life of /init and what it needs to know into
// the last archive.
func (m *machine) writeRuntime(w *cpio.Writer, modules []module) error {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("runtime: %w", err)
	}
	options := layout.Handoff{Schema: layout.HandoffSchema, Root: m.root.way, Release: m.root.release, RootSHA256: m.root.sha256}
	for _, mod := range modules {
		options.Modules = append(options.Modules, mod.name)
		if err := w.File(path.Join(layout.HandoffModules, mod.name), rootPerm, mod.image); err != nil {
			return err
		}
	}
	encoded, err := json.Marshal(options)
	if err != nil {
		return err
	}
	boot, err := m.report().Marshal()
	if err != nil {
		return err
	}
	rows := []row{
		{layout.HandoffOptions, 0o600, encoded},
		{layout.HandoffReport, 0o644, boot},
	}
	if m.root.way == rootDirect {
		rows = append(rows, row{layout.Init, initPerm, program})
	} else {
		rows = append(rows, row{layout.HandoffInit, initPerm, program})
		rows = append(rows, initrdUnits...)
	}
	return writeRows(w, rows)
}

// row is one file of an archive.
type row struct {
	name string
	perm os.FileMode
	data []byte
}

func writeRows(w *cpio.Writer, rows []row) error {
	for _, r := range rows {
		if err := w.File(r.name, r.perm, r.data); err != nil {
			return err
		}
	}
	return nil
}
