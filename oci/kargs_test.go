package oci

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// files is a file system of names and contents.
func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for k := 0; k < len(pairs); k += 2 {
		m[pairs[k]] = &fstest.MapFile{Data: []byte(pairs[k+1]), Mode: 0o644}
	}
	return m
}

// TestKargs is section 8's table of facts about kargs.d.
func TestKargs(t *testing.T) {
	const a, both = kargsDir + "/a.toml", `kargs = ["console=tty0","nosmt"]`
	two := []string{"console=tty0", "nosmt"}
	for _, test := range []struct {
		name string
		arch string
		root fstest.MapFS
		want []string
	}{
		{"fact 1: any architecture", "s390x", files(a, both), two},
		{"fact 2: other architecture", "arm64", files(a, both+"\nmatch-architectures=[\"x86_64\"]"), nil},
		{"fact 3: this architecture", "arm64", files(a, both+"\nmatch-architectures=[\"aarch64\"]"), two},
		{"fact 4: both, on one", "arm64", files(a, both+"\nmatch-architectures=[\"x86_64\",\"aarch64\"]"), two},
		{"fact 4: both, on the other", "amd64", files(a, both+"\nmatch-architectures=[\"x86_64\",\"aarch64\"]"), two},
		{"little-endian Power", "ppc64le", files(a, both+"\nmatch-architectures=[\"powerpc64\"]"), two},
		{"an architecture with one name", "riscv64", files(a, both+"\nmatch-architectures=[\"riscv64\"]"), two},
		{"Go's name is not Rust's", "amd64", files(a, both+"\nmatch-architectures=[\"amd64\"]"), nil},
		{"no architecture", "amd64", files(a, both+"\nmatch-architectures=[]"), nil},
		{"fact 6: no directory", "amd64", files("usr/lib/bootc/x", ""), nil},
		{"fact 6: empty directory", "amd64", fstest.MapFS{kargsDir: {Mode: 0o755 | 1<<31}}, nil},
		{"fact 6: other files", "amd64", files(kargsDir+"/somegarbage", "x", kargsDir+"/.toml", "x", kargsDir+"/a.toml.bak", "x"), nil},
		{"sorted by name, duplicates kept", "amd64", files(kargsDir+"/20-b.toml", `kargs=["b", "a"]`, kargsDir+"/10-a.toml", `kargs=["a"]`), []string{"a", "b", "a"}},
		{"spaces make several", "amd64", files(a, `kargs=["  foo=bar    baz=fuz ", " wiz   ", ""]`), []string{"foo=bar", "baz=fuz", "wiz"}},
		{"quotes keep one", "amd64", files(a, `kargs=['dyndbg="file a.c +p ; b" x']`), []string{`dyndbg="file a.c +p ; b"`, "x"}},
		{"quotes that stay open", "amd64", files(a, `kargs=['x="a b', 'c']`), []string{`x="a b c`}},
		{"no arguments", "amd64", files(a, `kargs=[]`), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := readKargs(test.root, test.arch)
			if err != nil {
				t.Fatal(err)
			}
			var values []string
			for _, k := range got {
				values = append(values, k.Value)
			}
			if !slices.Equal(values, test.want) {
				t.Errorf("expected %q, got %q", test.want, values)
			}
		})
	}
	got, err := readKargs(files(kargsDir+"/b.toml", `kargs=["x"]`), "amd64")
	if err != nil || !slices.Equal(got, []Karg{{"x", "b.toml"}}) {
		t.Errorf("origin: got %v, %v", got, err)
	}
}

func TestKargsRefuses(t *testing.T) {
	const a = kargsDir + "/a.toml"
	many := files()
	for k := range maxKargsDir + 1 {
		many[fmt.Sprintf("%s/%d.toml", kargsDir, k)] = &fstest.MapFile{Data: []byte(`kargs=[]`)}
	}
	for _, test := range []struct {
		name string
		root fstest.MapFS
		want string
	}{
		{"fact 5: no kargs key", files(a, `match-architectures=["x86_64"]`), "missing key kargs"},
		{"fact 7: kargs.d is a file", files(kargsDir, "x"), kargsDir},
		{"unknown key", files(a, "kargs=[]\nextra=1"), `unknown key "extra"`},
		{"unknown table", files(a, "kargs=[]\n[x]\ny=1"), `unknown key "x"`},
		{"other case", files(a, "kargs=[]\nKargs=[]"), `unknown key "Kargs"`},
		{"not a list", files(a, `kargs="x"`), a},
		{"not strings", files(a, `kargs=[1]`), a},
		{"no TOML", files(a, `kargs`), a},
		{"directory", files(a+"/x", ``), a},
		{"large file", files(a, "kargs=[]\n#"+strings.Repeat("x", maxKargsFile)), "at most 65536 bytes"},
		{"many files", many, "at most 256 files"},
		{"NUL", files(a, `kargs=["a\u0000b"]`), "has a NUL"},
		{"line break in quotes", files(a, `kargs=["a=\"b\nc\""]`), "line break"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readKargs(test.root, "amd64")
			if !errors.Is(err, ErrNotBootable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("expected ErrNotBootable with %q, got %v", test.want, err)
			}
		})
	}
}
