package pack

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/slipway-boot/slipway/payload/uki"
)

const (
	maxKernel = 256 << 20
	maxConfig = 4 << 20
)

// kernel is a kernel to pack, and what its package says of it.
type kernel struct {
	*uki.Kernel
	data   []byte
	tree   fs.FS // nil: no package, no modules
	origin origin
	name   string // of the binary package; "" if it is not known
}

// origin says where a binary came from.
type origin struct {
	Source  string // source package, "linux"
	Version string // of the source package, "6.1.176-1"
}

// openKernel finds and reads the kernel, and makes sure that it will do.
func openKernel(o Options) (*kernel, error) {
	k := &kernel{}
	if o.KernelTree != "" {
		k.tree = os.DirFS(o.KernelTree)
	}
	file, err := kernelFile(o)
	if err != nil {
		return nil, err
	}
	if k.data, err = readFile("kernel", file, maxKernel); err != nil {
		return nil, err
	}
	if k.Kernel, err = uki.ParseKernel(bytes.NewReader(k.data)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKernel, file, err)
	}
	if o.Release != "" && o.Release != k.Release {
		return nil, fmt.Errorf("%w: %s: expected release %s, got %s", ErrKernel, file, o.Release, k.Release)
	}
	if k.tree == nil {
		return k, nil
	}
	k.name, k.origin = debianPackage(k.tree, k.Release)
	return k, checkConfig(k.tree, k.Release)
}

// kernelFile returns the image's path: as given, or the only one in the tree.
func kernelFile(o Options) (string, error) {
	if o.KernelImage != "" {
		return o.KernelImage, nil
	}
	if o.KernelTree == "" {
		return "", fmt.Errorf("%w: expected an image or the tree of an unpacked package", ErrKernel)
	}
	name := o.Release
	if name == "" {
		name = "*"
	}
	found, err := filepath.Glob(filepath.Join(o.KernelTree, "boot", "vmlinuz-"+name))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKernel, err)
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%w: %s: expected one boot/vmlinuz-%s, got %d: name the image or the release", ErrKernel, o.KernelTree, name, len(found))
	}
	return found[0], nil
}

// needed lists what the loader cannot do without, of a kernel's configuration.
var needed = [...]struct{ option, why string }{
	{"CONFIG_BLK_DEV_INITRD", "the payload is an initramfs"},
	{"CONFIG_RD_ZSTD", "the initramfs is compressed with zstd"},
	{"CONFIG_DEVTMPFS", "the loader mounts it on /dev"},
	{"CONFIG_EFI_STUB", "firmware starts it as an EFI program"},
	{"CONFIG_KEXEC_FILE", "the loader starts the boot image's kernel"},
}

// checkConfig reads the configuration that distributions put beside a kernel. If
// there is none, the kernel has to show for itself.
func checkConfig(tree fs.FS, release string) error {
	name := path.Join("boot", "config-"+release)
	f, err := tree.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := readLimited(f, maxConfig)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrKernel, name, err)
	}
	for _, n := range needed {
		if !bytes.Contains(text, []byte("\n"+n.option+"=y\n")) {
			return fmt.Errorf("%w: %s: expected %s=y: %s", ErrKernel, name, n.option, n.why)
		}
	}
	return nil
}

// changelogLine is how a Debian changelog begins, signedFrom what the changelog
// of a package with signed binaries says of the package they were built in.
var (
	changelogLine = regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]+) \(([^ ()]+)\) `)
	signedFrom    = regexp.MustCompile(`Sign kernel from ([a-z0-9][a-z0-9+.-]+) ([^ ]+)$`)
)

// debianPackage finds the package that a kernel was unpacked from. Without its
// documentation there is no telling.
func debianPackage(tree fs.FS, release string) (string, origin) {
	name := "linux-image-" + release
	f, err := tree.Open(path.Join("usr/share/doc", name, "changelog.gz"))
	if err != nil {
		return "", origin{}
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return name, origin{}
	}
	var o origin
	s := bufio.NewScanner(z)
	for n := 0; n < 5 && s.Scan(); n++ { // the newest entry is the first
		line := strings.TrimRight(s.Text(), " ")
		if m := changelogLine.FindStringSubmatch(line); m != nil && o.Source == "" {
			o = origin{m[1], m[2]}
		}
		if m := signedFrom.FindStringSubmatch(line); m != nil {
			return name, origin{m[1], m[2]}
		}
	}
	return name, o
}
