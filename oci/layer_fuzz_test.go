package oci

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	reader "github.com/erofs/go-erofs"

	"github.com/slipway-boot/slipway/internal/erofs"
)

// FuzzLayer merges two layers of any bytes. What is accepted must make an
// image that an independent reader can walk to its end.
func FuzzLayer(f *testing.F) {
	lower := tarball(f, directory("d"), regular("d/a", "1"), symlink("l", "d"), hardlink("h", "d/a"), device("c", tar.TypeChar, 1, 3))
	f.Add([]byte{}, []byte{})
	f.Add(lower, tarball(f, regular("d/.wh.a", ""), regular("l/b", "2"), regular("../x", "")))
	f.Add(lower, tarball(f, regular("d/.wh..wh..opq", ""), hardlink("l/c", "h").xattrs("user.x", "y"), regular("d", "").xattrs("security.capability", "z")))
	target, err := os.Create(filepath.Join(f.TempDir(), "root.erofs"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { target.Close() })
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		limits := newLimits()
		limits.image, limits.unpacked.ceiling, limits.entries.ceiling = 1<<20, 1<<20, 1000
		files := erofs.NewWriter(target, time.Unix(0, 0))
		files.MaxSize = limits.image
		merged := newTree(limits)
		for _, b := range [][]byte{lower, upper} {
			l, err := untar(t.Context(), newHashedReader(bytes.NewReader(mend(b)), limits.unpacked), files, limits)
			if err == nil {
				err = merged.apply(l)
			}
			if err != nil {
				if !errors.Is(err, ErrLayer) && !errors.Is(err, ErrTooLarge) {
					t.Fatalf("error without a sentinel: %v", err)
				}
				return
			}
		}
		if prepareRoot(merged) != nil {
			merged.root.Children["usr"] = newDir()
		}
		if _, err := files.Close(merged.root); err != nil {
			if !errors.Is(err, erofs.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		readImage(t, target)
	})
}

// mend corrects the checksums of tar headers, or no changed one would be read.
func mend(b []byte) []byte {
	b = bytes.Clone(b)
	for at := 0; at+512 <= len(b); at += 512 {
		if h := b[at : at+512]; string(h[257:262]) == "ustar" {
			copy(h, retype(h, h[156]))
		}
	}
	return b
}

// readImage reads every file of an image.
func readImage(t *testing.T, target *os.File) {
	t.Helper()
	img, err := reader.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(img, ".", func(path string, e fs.DirEntry, err error) error {
		if !fs.ValidPath(path) { // EROFS takes names that Go's file systems do not
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		_, err = fs.ReadFile(img, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
