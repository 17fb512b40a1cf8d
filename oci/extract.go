package oci

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/slipway-boot/slipway/internal/erofs"
)

// Ceilings of one image. An unpacked image must also fit its Target, whose
// errors are returned.
const (
	maxUnpacked = 64 << 30  // bytes of all tars, and of the root
	maxEntries  = 1 << 20   // entries of all tars
	maxMemory   = 512 << 20 // bytes taken by the tree in memory
	maxParallel = 4         // layers at a time
)

// Target is where Extract writes the root file system, from offset 0, and
// where the Bundle reads it back.
type Target interface {
	io.WriterAt
	io.ReaderAt
}

// Bundle is what an image boots with. Its readers and Root read the Target.
type Bundle struct {
	// Release is the kernel's, and the name of its modules' directory.
	Release string
	// Kernel and Initramfs are the image's own.
	Kernel, Initramfs *io.SectionReader
	// Kargs are the kernel arguments from kargs.d, in their order.
	Kargs []Karg
	// Labels are those of the image's config.
	Labels map[string]string
	// Root is the root file system. Symbolic links are followed inside it;
	// it is an fs.ReadLinkFS.
	Root fs.FS
	// RootSize is the length of the EROFS image in the Target.
	RootSize int64
	// Fetched is the number of bytes of all layers as fetched.
	Fetched int64
	// Layers is their number.
	Layers int
}

// Extract fetches img's layers and writes the root file system they make up to
// root, as an EROFS image. Each byte goes through memory once:
//
//	registry → hash → inflate → hash → tar → erofs
//
// Several layers are under way at once. Nothing is returned before every
// layer's digest and diffID matched; until then root holds bytes that must
// not be used, and after an error it still does.
//
// Errors wrap ErrUnsigned for an Image that Policy.Verify did not make,
// ErrDigestMismatch for bytes that are not the ones in the manifest, ErrLayer
// for a layer that cannot be unpacked, ErrTooLarge for one over a ceiling,
// ErrNotBootable for a root that lacks what bootc images have, or are those of
// Blob, of root, or ctx.
func (c *Client) Extract(ctx context.Context, img *Image, root Target) (*Bundle, error) {
	if img.IsZero() {
		return nil, fmt.Errorf("extract: %w: the image was not verified", ErrUnsigned)
	}
	x := &extraction{
		open:   func(ctx context.Context, l Layer) (io.ReadCloser, error) { return c.Blob(ctx, img, l.Digest, l.Size) },
		layers: img.layers,
		labels: img.Labels(),
		arch:   img.arch,
		root:   root,
		limits: newLimits(),
	}
	if _, err := hex.Decode(x.uuid[:], []byte(img.instance.Hex()[:2*len(x.uuid)])); err != nil {
		return nil, fmt.Errorf("extract: %w: digest %q: %w", ErrManifest, img.instance, err)
	}
	b, err := x.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("extract: %w", err)
	}
	return b, nil
}

// limits are what one extraction may use.
type limits struct {
	entries, memory, unpacked *allowance
	image                     int64
}

func newLimits() *limits {
	return &limits{
		entries:  &allowance{ceiling: maxEntries, what: "entries in all layers"},
		memory:   &allowance{ceiling: maxMemory, what: "bytes of names and attributes"},
		unpacked: &allowance{ceiling: maxUnpacked, what: "bytes unpacked"},
		image:    maxUnpacked,
	}
}

// extraction is one call of Extract.
type extraction struct {
	open   func(context.Context, Layer) (io.ReadCloser, error)
	layers []Layer // lowest first
	labels map[string]string
	arch   string
	uuid   [16]byte
	root   Target
	limits *limits
}

func (x *extraction) run(ctx context.Context) (*Bundle, error) {
	if err := checkLabels(x.labels); err != nil {
		return nil, err
	}
	if err := checkLayerTypes(x.layers); err != nil {
		return nil, err
	}
	image := erofs.NewWriter(x.root, time.Unix(0, 0))
	image.UUID, image.MaxSize = x.uuid, x.limits.image

	unpacked, err := x.unpackAll(ctx, image)
	if err != nil {
		return nil, err
	}
	merged := newTree(x.limits)
	for n, l := range unpacked {
		if err := merged.apply(l); err != nil {
			return nil, fmt.Errorf("%s: %w", x.name(n), err)
		}
	}
	return x.bundle(merged, image)
}

// name is how errors call a layer.
func (x *extraction) name(n int) string {
	return fmt.Sprintf("layer %d of %d (%s)", n+1, len(x.layers), x.layers[n].Digest)
}

// unpackAll unpacks the layers, several at a time and the largest first. The
// first error stops the others and is returned.
func (x *extraction) unpackAll(ctx context.Context, files *erofs.Writer) ([]*layerTree, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	order := make([]int, len(x.layers))
	for n := range order {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x.layers[b].Size, x.layers[a].Size) })

	unpacked := make([]*layerTree, len(x.layers))
	slots := make(chan struct{}, min(runtime.NumCPU(), maxParallel))
	var running sync.WaitGroup
	for _, n := range order {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-slots }()
			var err error
			if unpacked[n], err = x.unpack(ctx, x.layers[n], files); err != nil {
				stop(fmt.Errorf("%s: %w", x.name(n), err))
			}
		})
	}
	running.Wait()
	return unpacked, context.Cause(ctx)
}

// unpack takes one layer from the registry to its tree.
func (x *extraction) unpack(ctx context.Context, l Layer, files *erofs.Writer) (*layerTree, error) {
	blob, err := x.open(ctx, l)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	whole := &allowance{ceiling: l.Size, what: "bytes, as the manifest says"}
	packed := newHashedReader(interruptible(ctx, blob), whole)

	tree, diffID, err := x.unpackFrom(ctx, packed, l, files)
	if packed.err != nil {
		return nil, packed.err // not the layer's fault: the transfer's
	}
	if err != nil && !errors.Is(err, ErrLayer) && !errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	// A layer that cannot be unpacked may be one that was damaged on its way:
	// only the digest of all of it can tell.
	if drainErr := packed.drain(); drainErr != nil {
		return nil, drainErr
	}
	if got := packed.digest(); got != l.Digest {
		return nil, fmt.Errorf("%w: blob: expected %s, got %s", ErrDigestMismatch, l.Digest, got)
	}
	if err != nil {
		return nil, err
	}
	if diffID != l.DiffID {
		return nil, fmt.Errorf("%w: diffID: expected %s, got %s", ErrDigestMismatch, l.DiffID, diffID)
	}
	return tree, nil
}

// unpackFrom inflates and unpacks a blob's bytes, and returns the digest of
// the tar. Inflating runs ahead in a goroutine, which has ended on return.
func (x *extraction) unpackFrom(ctx context.Context, packed io.Reader, l Layer, files *erofs.Writer) (*layerTree, Digest, error) {
	inflated, err := inflate(packed, l.MediaType)
	if err != nil {
		return nil, "", fmt.Errorf("%w: inflate: %w", ErrLayer, err)
	}
	defer inflated.Close()
	tarball := readAhead(inflated)
	defer tarball.Close()

	unpacked := newHashedReader(tarball, x.limits.unpacked)
	tree, err := untar(ctx, unpacked, files, x.limits)
	return tree, unpacked.digest(), err
}

// bundle checks the merged tree, prepares it and completes the image.
func (x *extraction) bundle(merged *tree, image *erofs.Writer) (*Bundle, error) {
	root := treeFS{merged, x.root}
	boot, err := findBootFiles(root)
	if err != nil {
		return nil, err
	}
	if boot.unified {
		return nil, fmt.Errorf("%w: %s: unified kernel images are not supported yet: expected %s/<release>/%s", ErrNotBootable, boot.kernel, modulesDir, kernelName)
	}
	b := &Bundle{Release: boot.release, Labels: x.labels, Root: root, Layers: len(x.layers)}
	if b.Kargs, err = readKargs(root, x.arch); err != nil {
		return nil, err
	}
	if err := root.checkRelease(boot, x.arch); err != nil {
		return nil, err
	}
	if err := prepareRoot(merged); err != nil {
		return nil, err
	}
	if b.RootSize, err = image.Close(merged.root); err != nil {
		if errors.Is(err, erofs.ErrTooLarge) {
			err = fmt.Errorf("%w: %w", ErrTooLarge, err)
		}
		return nil, err
	}
	for _, l := range x.layers {
		b.Fetched += l.Size
	}
	if b.Kernel, err = root.section(boot.kernel); err != nil {
		return nil, err
	}
	b.Initramfs, err = root.section(boot.initramfs)
	return b, err
}
