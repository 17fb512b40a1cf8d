package lab

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed" // the customize script
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// debianVersion is part of the cache key: raise it when the builder changes
// what it builds from the same packages.
const debianVersion = "2"

// DebianImage is a boot image in the cache.
type DebianImage struct {
	v1.Image
	Layout string // its OCI image layout, a directory
}

//go:embed debian/customize.sh
var customizeScript string

// DebianImage builds a bootc image of Debian trixie: systemd, the cloud
// kernel, whose erofs, overlay and loop are modules, and the initramfs that
// dracut makes by default. It has five gzip layers: base, system, kernel,
// configuration, clean-up. Root has no password. Nothing in it knows about
// slipway. The first call takes about a minute and needs root; later ones
// open the cache.
func (l *Lab) DebianImage(ctx context.Context) (*DebianImage, error) {
	dir, err := l.once(ctx, "debian-"+testSuite+"-"+debianVersion+"-"+lockHash(), func(dir string) error {
		return l.buildDebian(ctx, dir)
	})
	if err != nil {
		return nil, fmt.Errorf("debian image: %w", err)
	}
	if err := l.heedUnlocked(dir); err != nil {
		return nil, fmt.Errorf("debian image: %w", err)
	}
	idx, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("debian image: %w", err)
	}
	m, err := idx.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("debian image: %w", err)
	}
	if len(m.Manifests) != 1 {
		return nil, fmt.Errorf("debian image: expected one image in %s, got %d", dir, len(m.Manifests))
	}
	img, err := idx.Image(m.Manifests[0].Digest)
	if err != nil {
		return nil, fmt.Errorf("debian image: %w", err)
	}
	return &DebianImage{Image: img, Layout: dir}, nil
}

// buildDebian fills dir with the image's OCI layout.
func (l *Lab) buildDebian(ctx context.Context, dir string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: mmdebstrap makes a root file system with its owners", ErrNotRoot)
	}
	d, err := l.fetchLocked(ctx, func(debPackage) bool { return true })
	if err != nil {
		return err
	}
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	if err := flatRepository(ctx, filepath.Join(work, "repo"), d); err != nil {
		return err
	}
	if err := l.mmdebstrap(ctx, work, d.packages); err != nil {
		return err
	}
	l.say("debian image: splitting into layers")
	tars, err := debianTars(work)
	if err != nil {
		return err
	}
	if err := l.writeLayout(dir, tars); err != nil {
		return err
	}
	if err := noteUnlocked(dir, d.unlocked); err != nil {
		return err
	}
	return os.RemoveAll(work)
}

// flatRepository makes a directory that apt reads packages from. They were
// checked against the lock, so that it needs no signature.
func flatRepository(ctx context.Context, dir string, d debs) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	var index bytes.Buffer
	for i, file := range d.files {
		control, err := run(ctx, "dpkg-deb", "-f", file)
		if err != nil {
			return err
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		name := d.packages[i].Name + ".deb"
		if err := os.Link(file, filepath.Join(dir, name)); err != nil {
			return err
		}
		fmt.Fprintf(&index, "%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n\n", bytes.TrimSpace(control),
			name, info.Size(), d.packages[i].SHA256)
	}
	return os.WriteFile(filepath.Join(dir, "Packages"), index.Bytes(), 0o644)
}

// refName is how tools find an image in a layout.
const refName = "org.opencontainers.image.ref.name"

const rootTar = "root.tar"

// mmdebstrap installs the packages into work/root.tar.
func (l *Lab) mmdebstrap(ctx context.Context, work string, packages []debPackage) error {
	mmdebstrap, err := tool("mmdebstrap", "mmdebstrap")
	if err != nil {
		return err
	}
	names := make([]string, len(packages))
	for i, p := range packages {
		names[i] = p.Name
	}
	repo := (&url.URL{Path: filepath.Join(work, "repo")}).EscapedPath()
	args := []string{mmdebstrap, "--mode=root", "--variant=essential", "--format=tar",
		"--include=" + strings.Join(names, ","),
		`--aptopt=APT::Sandbox::User "root"`,
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--customize-hook=" + customizeScript,
		"", filepath.Join(work, rootTar), "deb [trusted=yes] copy://" + repo + " ./"}
	l.say("debian image: installing %d packages into a new root", len(packages))
	_, err = cmd{args: args, line: l.mmdebstrapLine,
		// INITRD=No keeps the kernel package from making an initramfs in
		// /boot; the root is built below work, because /tmp may be nodev.
		env: []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", imageEpoch), "INITRD=No", "TMPDIR=" + work}}.run(ctx)
	return err
}

// mmdebstrapLine passes on the warnings and the long steps of mmdebstrap's
// own messages.
func (l *Lab) mmdebstrapLine(line string) {
	kind, text, _ := strings.Cut(line, ": ")
	switch {
	case kind == "W" || kind == "E":
		l.say("debian image: mmdebstrap: %s", line)
	case kind != "I":
	case strings.HasPrefix(text, "running --customize-hook"):
		l.say("debian image: making the initramfs with dracut")
	case strings.HasPrefix(text, "extracting"), strings.HasPrefix(text, "installing"), strings.HasPrefix(text, "creating"):
		l.say("debian image: %s", text)
	}
}

// writeLayout compresses the layers and writes the image into dir.
func (l *Lab) writeLayout(dir string, tars []string) error {
	layers := make([]v1.Layer, len(tars))
	errs := make([]error, len(tars))
	var wg sync.WaitGroup
	for i, name := range tars {
		wg.Go(func() {
			layers[i], errs[i] = gzipLayer(func() (io.ReadCloser, error) { return os.Open(name) }, gzip.DefaultCompression)
		})
	}
	l.say("debian image: compressing %d layers", len(tars))
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	img, err := ociImage("amd64", map[string]string{
		"containers.bootc":                 "1",
		"org.opencontainers.image.title":   "Debian " + testSuite + " demo image",
		"org.opencontainers.image.version": testSuite + "-" + lockHash(),
	}, layers...)
	if err != nil {
		return err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return path.AppendImage(img, layout.WithAnnotations(map[string]string{refName: "latest"}))
}
