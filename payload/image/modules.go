package image

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/nearest"
)

// Module is a kernel module and why a payload has it.
type Module struct {
	Name, Why string
}

// DefaultModules lists what the loader needs on machines it may meet; what the
// modules depend on comes along. Not here: RAID controllers, which only disks
// need, and drivers that need firmware files. What the boot image needs for its
// own root (erofs, overlay, loop) comes from the image.
func DefaultModules() []Module {
	var list []Module
	for _, group := range []struct {
		why   string
		names []string
	}{
		{"virtual machines: virtio", []string{"virtio_pci", "virtio_mmio", "virtio_net", "virtio_blk", "virtio_scsi", "virtio_rng", "virtio_console"}},
		{"virtual machines: VMware, Hyper-V, Xen, EC2, GCE", []string{"vmxnet3", "vmw_pvscsi", "hv_netvsc", "hv_storvsc", "xen_netfront", "xen_blkfront", "ena", "gve"}},
		{"network: Intel", []string{"e1000", "e1000e", "igb", "igc", "ixgbe", "i40e", "ice"}},
		{"network: Realtek and its PHYs", []string{"r8169", "realtek"}},
		{"network: Broadcom and its PHYs", []string{"tg3", "broadcom", "bnxt_en"}},
		{"network: NVIDIA", []string{"mlx5_core"}},
		{"network: other boards", []string{"atlantic", "alx", "atl1c", "sky2"}},
		{"network: USB", []string{"r8152", "cdc_ether", "cdc_ncm", "asix", "ax88179_178a"}},
		{"disks: where the configuration may lie", []string{"nvme", "ahci", "ata_piix", "sd_mod", "usb_storage", "uas", "sdhci_pci", "sdhci_acpi", "mmc_block"}},
		{"USB controllers", []string{"xhci_pci", "ehci_pci", "ohci_pci", "uhci_hcd"}},
		{"the EFI system partition", []string{"vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8"}},
		{"firmware: variables, settings from the hypervisor", []string{"efivarfs", "qemu_fw_cfg"}},
		{"TPM", []string{"tpm_tis", "tpm_crb"}},
		{"keyboards", []string{"usbhid", "hid_generic", "atkbd", "i8042"}},
	} {
		for _, name := range group.names {
			list = append(list, Module{name, group.why})
		}
	}
	return list
}

// selection is the modules that go into an initramfs.
type selection struct {
	index    *kmod.Index
	paths    []string // sorted
	warnings []string
}

// selectModules finds the modules of one kernel. asked are names that have to
// exist; the default table's need not.
func selectModules(tree fs.FS, dir string, asked []string, defaults bool) (*selection, error) {
	var table []Module
	if defaults {
		table = DefaultModules()
	}
	names := slices.Clone(asked)
	for _, m := range table {
		names = append(names, m.Name)
	}
	s := &selection{}
	if len(names) == 0 {
		return s, nil
	}
	var err error
	if s.index, err = openIndex(tree, dir, names); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModules, err)
	}
	for _, name := range asked {
		if !s.index.Has(name) && !s.index.BuiltIn(name) {
			near := nearest.Word(name, s.index.Names())
			return nil, fmt.Errorf("%w: %s: %w in %s%s", ErrModules, name, kmod.ErrUnknown, path.Base(dir), suggest(near))
		}
	}
	names = slices.Clone(asked)
	for _, m := range table {
		if s.index.Has(m.Name) {
			names = append(names, m.Name)
		} else if !s.index.BuiltIn(m.Name) {
			s.warnings = append(s.warnings, fmt.Sprintf("kernel %s has no module %s (%s)", path.Base(dir), m.Name, m.Why))
		}
	}
	if s.paths, err = s.index.Closure(names...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModules, err)
	}
	slices.Sort(s.paths)
	return s, nil
}

func suggest(near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf(", the nearest is %s", near)
}

// openIndex reads depmod's index if there is one, and the modules if not.
func openIndex(tree fs.FS, dir string, names []string) (*kmod.Index, error) {
	index, err := kmod.Open(tree, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return kmod.Scan(tree, dir, names...)
	}
	return index, err
}

// ModulesDir finds the modules of a kernel release below the root of an unpacked
// package or of an installed system. Error: fs.ErrNotExist.
func ModulesDir(tree fs.FS, release string) (string, error) {
	if !fs.ValidPath(release) || path.Base(release) != release || release == "." {
		return "", fmt.Errorf("%w: kernel release %q: %w", ErrModules, release, fs.ErrInvalid)
	}
	var first error
	for _, parent := range []string{"lib/modules", "usr/lib/modules"} {
		dir := path.Join(parent, release)
		info, err := fs.Stat(tree, dir)
		if err == nil && info.IsDir() {
			return dir, nil
		}
		first = cmp.Or(first, err)
	}
	return "", fmt.Errorf("%w: release %s: %w", ErrModules, release, cmp.Or(first, error(fs.ErrNotExist)))
}
