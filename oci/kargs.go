package oci

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

const (
	kargsDir     = "usr/lib/bootc/kargs.d"
	maxKargsFile = 64 << 10
	maxKargsDir  = 256 // files
)

// Karg is one kernel argument that the image asks for.
type Karg struct {
	// Value is the argument as written, quotes included.
	Value string
	// Origin is the name of the file in kargs.d that it is from.
	Origin string
}

// kargsFile is a file of kargs.d, as bootc defines it.
type kargsFile struct {
	Kargs  []string `toml:"kargs"`
	Arches []string `toml:"match-architectures"`
}

// rustArches are the architectures that bootc knows by another name than Go.
var rustArches = map[string]string{
	"386": "x86", "amd64": "x86_64", "arm64": "aarch64", "loong64": "loongarch64", "mips64le": "mips64",
	"mipsle": "mips", "ppc64": "powerpc64", "ppc64le": "powerpc64",
}

// readKargs reads the image's kernel arguments for an architecture (in Go's
// spelling), in the order of the files' names. A missing directory means none.
// Errors wrap ErrNotBootable.
func readKargs(root fs.FS, arch string) ([]Karg, error) {
	files, err := fs.ReadDir(root, kargsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: kernel arguments: %w", ErrNotBootable, err)
	}
	if len(files) > maxKargsDir {
		return nil, fmt.Errorf("%w: kernel arguments: %s: expected at most %d files, got %d", ErrNotBootable, kargsDir, maxKargsDir, len(files))
	}
	var all []Karg
	for _, f := range files {
		if stem, ok := strings.CutSuffix(f.Name(), ".toml"); !ok || stem == "" {
			continue
		}
		name := path.Join(kargsDir, f.Name())
		values, err := readKargsFile(root, name, arch)
		if err != nil {
			return nil, fmt.Errorf("%w: kernel arguments: %s: %w", ErrNotBootable, name, err)
		}
		for _, v := range values {
			all = append(all, Karg{v, f.Name()})
		}
	}
	return all, nil
}

// readKargsFile returns one file's arguments, none if it is for other
// architectures.
func readKargsFile(root fs.FS, name, arch string) ([]string, error) {
	text, err := readBelow(root, name, maxKargsFile)
	if err != nil {
		return nil, err
	}
	var file kargsFile
	meta, err := toml.NewDecoder(bytes.NewReader(text)).Decode(&file)
	if err != nil {
		return nil, err
	}
	for _, key := range meta.Keys() { // the decoder alone ignores case
		if k := key.String(); k != "kargs" && k != "match-architectures" {
			return nil, fmt.Errorf("unknown key %q: expected kargs or match-architectures", k)
		}
	}
	if !meta.IsDefined("kargs") {
		return nil, errors.New("missing key kargs")
	}
	if name, ok := rustArches[arch]; ok {
		arch = name
	}
	if meta.IsDefined("match-architectures") && !slices.Contains(file.Arches, arch) {
		return nil, nil
	}
	return splitKargs(strings.Join(file.Kargs, " "))
}

// splitKargs splits at white space outside of double quotes, as Linux does.
func splitKargs(line string) (args []string, err error) {
	quoted := false
	for _, c := range []byte(line) {
		if c == '"' {
			quoted = !quoted
		}
		if c == 0 || c == '\n' && quoted {
			return nil, fmt.Errorf("argument %q: has a NUL or line break", clip(line))
		}
	}
	quoted = false
	return strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && strings.ContainsRune(" \t\n\v\f\r", r)
	}), nil
}

// readBelow reads a file of at most limit bytes.
func readBelow(root fs.FS, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%w: expected at most %d bytes", ErrTooLarge, limit)
	}
	return b, err
}
