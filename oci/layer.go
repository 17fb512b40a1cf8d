package oci

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/slipway-boot/slipway/internal/erofs"
)

// layerTree is what one layer contributes: independent of the layers below,
// until tree.apply merges it.
type layerTree struct {
	whiteouts []whiteout
	entries   []entry
}

// entryCost is what an entry is taken to need in memory, besides its text.
const entryCost = 320

// untar reads a layer's tar to the end of its stream. The contents of regular
// files go to files, everything else is returned. Errors about the tar wrap
// ErrLayer or ErrTooLarge; others are from writing, or of the context.
func untar(ctx context.Context, r io.Reader, files *erofs.Writer, limits *limits) (*layerTree, error) {
	l := &layerTree{}
	buffered := bufio.NewReaderSize(r, pieceSize)
	archive := tar.NewReader(buffered)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: tar: %w", ErrLayer, err)
		}
		if err := limits.entries.take(1); err != nil {
			return nil, err
		}
		if err := l.add(ctx, h, archive, files, limits); err != nil {
			return nil, err
		}
	}
	// What follows the tar is part of the digest.
	if _, err := io.Copy(io.Discard, buffered); err != nil {
		return nil, fmt.Errorf("%w: behind the tar: %w", ErrLayer, err)
	}
	return l, nil
}

// add takes one entry of the tar.
func (l *layerTree) add(ctx context.Context, h *tar.Header, content io.Reader, files *erofs.Writer, limits *limits) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	path, err := cleanPath(h.Name)
	if err != nil {
		return err
	}
	if w, is, err := whiteoutFor(path); err != nil || is {
		if is && (w.path != "" || w.opaque) {
			l.whiteouts = append(l.whiteouts, w)
		}
		return errors.Join(err, limits.memory.take(int64(entryCost+len(path))))
	}
	e := entry{path: path}
	if h.Typeflag == tar.TypeLink {
		if e.link, err = cleanPath(h.Linkname); err != nil {
			return fmt.Errorf("hard link %q: %w", clip(path), err)
		}
	} else if e.node, err = newNode(h); err != nil {
		return err
	}
	if err := limits.memory.take(e.cost()); err != nil {
		return err
	}
	if e.node != nil && e.node.Type() == erofs.Regular {
		if e.node.Data, err = storeFile(ctx, content, h.Size, files); err != nil {
			return fmt.Errorf("%q: %w", clip(path), err)
		}
	}
	l.entries = append(l.entries, e)
	return nil
}

// cost is what an entry needs in memory.
func (e *entry) cost() int64 {
	n := entryCost + len(e.path) + len(e.link)
	if e.node != nil {
		n += len(e.node.Target)
		for name, value := range e.node.Xattrs {
			n += len(name) + len(value)
		}
	}
	return int64(n)
}

// storeFile writes a file's contents and says whose fault a failure is.
func storeFile(ctx context.Context, content io.Reader, size int64, files *erofs.Writer) (erofs.Data, error) {
	var readErr error
	data, err := files.File(readerFunc(func(p []byte) (int, error) {
		if readErr = context.Cause(ctx); readErr != nil {
			return 0, readErr
		}
		n, err := content.Read(p)
		if err != nil && err != io.EOF {
			readErr = err
		}
		return n, err
	}), size)
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, erofs.ErrTooLarge):
		return data, fmt.Errorf("%w: %w", ErrTooLarge, err)
	case readErr != nil || errors.Is(err, io.ErrUnexpectedEOF):
		return data, fmt.Errorf("%w: %w", ErrLayer, err)
	}
	return data, err
}
