package kexecer

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"  foo=bar    baz=fuz  wiz   ", []string{"foo=bar", "baz=fuz", "wiz"}},
		{"a=\"b c\" d", []string{`a="b c"`, "d"}},
		{`"a=b c" d`, []string{`"a=b c"`, "d"}},
		{"a\tb\nc", []string{"a", "b", "c"}},
		{`a="b c`, []string{`a="b c`}},
		{"root=x -- init arg", []string{"root=x", "--", "init", "arg"}},
	} {
		if got := Split(c.in); !slices.Equal(got, c.want) {
			t.Errorf("Split(%q): expected %q, got %q", c.in, c.want, got)
		}
	}
}

func TestParam(t *testing.T) {
	for _, c := range []struct {
		in, key, value string
		has            bool
	}{
		{"quiet", "quiet", "", false},
		{"a=", "a", "", true},
		{"a=b=c", "a", "b=c", true},
		{`a="b c"`, "a", "b c", true},
		{`"a=b c"`, "a", "b c", true},
	} {
		k, v, has := Param(c.in)
		if k != c.key || v != c.value || has != c.has {
			t.Errorf("Param(%q): expected %q %q %v, got %q %q %v", c.in, c.key, c.value, c.has, k, v, has)
		}
	}
}

func TestJoin(t *testing.T) {
	got, err := Join([]string{"console=ttyS0", `dyndbg="file a +p"`})
	if want := `console=ttyS0 dyndbg="file a +p"`; err != nil || got != want {
		t.Errorf("Join: expected %q, got %q, %v", want, got, err)
	}
	for _, bad := range []string{"a b", "", `a="b`, "a\nb", `a" "b c`, "a\x00", " a"} {
		if _, err := Join([]string{"ok", bad}); !errors.Is(err, ErrCmdline) {
			t.Errorf("Join(%q): expected ErrCmdline, got %v", bad, err)
		}
	}
	if _, err := Join([]string{strings.Repeat("x", MaxCmdline)}); err != nil {
		t.Errorf("Join of %d bytes: %v", MaxCmdline, err)
	}
	if _, err := Join([]string{strings.Repeat("x", MaxCmdline+1)}); !errors.Is(err, ErrCmdline) {
		t.Errorf("Join of %d bytes: expected ErrCmdline, got %v", MaxCmdline+1, err)
	}
}

// FuzzSplit checks that what Split returns can be joined again and means the
// same, for every line whose quotes are in pairs.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"a b", `a="b c" d`, `"x y"`, `a"b"c`, "\t\n", `""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := Split(line)
		if strings.Count(line, `"`)%2 != 0 || strings.ContainsAny(line, "\x00\n") {
			return
		}
		joined, err := Join(args)
		if err != nil {
			if len(line) > MaxCmdline {
				return
			}
			t.Fatalf("Join(Split(%q)): %v", line, err)
		}
		if again := Split(joined); !slices.Equal(again, args) {
			t.Fatalf("Split(%q): expected %q, got %q", joined, args, again)
		}
	})
}
