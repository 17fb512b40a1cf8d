package kmod

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "a/b", true},
		{"a*", "ba", false},
		{"*b*c", "abbcbc", true},
		{"*b*c", "abbcb", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"[a-c]x", "bx", true},
		{"[a-c]x", "dx", false},
		{"[!a-c]x", "dx", true},
		{"[^a-c]x", "ax", false},
		{"[]x]", "]", true},
		{"[!]x]", "]", false},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{"[0-9a-f]*", "f0", true},
		{"[", "[", true},
		{"[a", "[a", true},
		{"[a", "a", false},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{`a\`, `a\`, true},
		{"pci:v00008086d000010D3sv*sd*bc*sc*i*", "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00", true},
		{"pci:v00008086d000010D3sv*sd*bc*sc*i*", "pci:v00008086d000010D4sv00008086sd0000A01Fbc02sc00i00", false},
		{"usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*", "usb:v0781p5583d0100dc00dsc00dp00ic08isc06ip50in00", true},
		{"input:b*v*p*e*-e0,*k*[13456789ABCDEF]*", "input:b0003v0000p0000e0000-e0,1,k7A", true},
	} {
		if got := glob(tc.pattern, tc.name); got != tc.want {
			t.Errorf("glob(%q, %q) = %v, want %v", tc.pattern, tc.name, got, tc.want)
		}
	}
}

// TestGlobTime makes sure that no pattern takes exponential time.
func TestGlobTime(t *testing.T) {
	if glob(strings.Repeat("a*", 500)+"b", strings.Repeat("a", 20_000)) {
		t.Error("matched")
	}
}

func TestMatch(t *testing.T) {
	fsys := fstest.MapFS{
		"m/modules.dep": {Data: []byte("a/nic.ko:\na/other-nic.ko:\n")},
		"m/modules.alias": {Data: []byte("# comment\n" +
			"alias pci:v00001AF4d00001000sv*sd*bc*sc*i* nic\n" +
			"alias pci:v00001AF4d*sv*sd*bc*sc*i* other-nic\n" +
			"alias pci:v00001AF4d00001000sv*sd*bc*sc*i* nic\n" +
			"alias fs-some_thing nic\n" +
			"alias set-[a-c]-x nic\n")},
	}
	x, err := Open(fsys, "m")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00": "nic other_nic",
		"pci:v00001AF4d00001001sv00001AF4sd00000001bc02sc00i00": "other_nic",
		"pci:v00008086d00001001sv00001AF4sd00000001bc02sc00i00": "",
		"fs_some-thing": "nic",
		"set-b-x":       "nic",
		"set-d-x":       "",
	} {
		if got := x.Match(query); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("Match(%q) = %v, want %s", query, got, want)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("pci:v*d[0-9]sv?", "pci:v1d2sv3")
	f.Add(`[!]a-c]\*[`, "x*[")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 200 || len(name) > 200 {
			return
		}
		if !strings.ContainsAny(pattern, `[\`) && glob(pattern, name) && !glob(pattern+"*", name+"x") {
			t.Errorf("%q matches %q, but with a * behind it does not match more", pattern, name)
		}
		if got := canonicalPattern(pattern); len(got) != len(pattern) {
			t.Errorf("canonicalPattern(%q) = %q", pattern, got)
		}
		if !strings.ContainsAny(pattern, `*?[\`) && glob(pattern, name) != (pattern == name) {
			t.Errorf("glob(%q, %q) is wrong for a literal", pattern, name)
		}
		if !glob(pattern+"*", "") && strings.Trim(pattern, "*") == "" {
			t.Errorf("glob(%q, \"\") = false", pattern+"*")
		}
	})
}
