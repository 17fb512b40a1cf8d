package tiny

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// unchecked are the top-level directories that are not the image's any more
// once the system runs. /etc is checked: its overlay shows the image's files.
var unchecked = [...]string{"dev", "proc", "run", "sys", "tmp", "var"}

// checkRoot compares the regular files of root with the sums. The sums file
// itself, which cannot hold its own sum, is left out.
func checkRoot(root fs.FS, sums map[string]string) (*Check, error) {
	c := &Check{Files: len(sums)}
	seen := map[string]bool{}
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains(unchecked[:], path) {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() || "/"+path == SumsFile {
			return nil
		}
		seen[path] = true
		want, ok := sums[path]
		if !ok {
			c.Extra = append(c.Extra, path)
			return nil
		}
		got, err := sumFile(root, path)
		if err != nil {
			// An unreadable file is as bad as a different one; say why.
			got = err.Error()
		}
		if got != want {
			c.Differ = append(c.Differ, path+": "+got)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	for path := range sums {
		top, _, _ := strings.Cut(path, "/")
		if !seen[path] && !slices.Contains(unchecked[:], top) {
			c.Missing = append(c.Missing, path)
		}
	}
	slices.Sort(c.Missing)
	return c, nil
}

// checkSums reads SumsFile and applies it.
func checkSums(root fs.FS) (*Check, error) {
	f, err := root.Open(strings.TrimPrefix(SumsFile, "/"))
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	defer f.Close()
	sums, err := ParseSums(f)
	if err != nil {
		return nil, err
	}
	if len(sums) == 0 {
		return nil, errors.New("check: no sums")
	}
	return checkRoot(root, sums)
}

func sumFile(root fs.FS, path string) (string, error) {
	f, err := root.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
