package oci

import (
	"errors"
	"strings"
	"testing"
)

var testDigest = "sha256:" + strings.Repeat("0a", 32)

func TestParseReference(t *testing.T) {
	for _, c := range []struct{ in, repository, tag, digest string }{
		{"registry.example/os/web:stable", "registry.example/os/web", "stable", ""},
		{"docker://registry.example/os/web:stable", "registry.example/os/web", "stable", ""},
		{"registry.example:5000/web@" + testDigest, "registry.example:5000/web", "", testDigest},
		{"registry.example/web:v1@" + testDigest, "registry.example/web", "v1", testDigest},
		{"localhost/web:1", "localhost/web", "1", ""},
		{"localhost:5000/web:1", "localhost:5000/web", "1", ""},
		{"[::1]:5000/web:1", "[::1]:5000/web", "1", ""},
		{"10.0.2.2:5000/a/b_c/d__e/f-g/h---i/j.k:V_1.x-y", "10.0.2.2:5000/a/b_c/d__e/f-g/h---i/j.k", "V_1.x-y", ""},
		{"docker.io/library/busybox:latest", "docker.io/library/busybox", "latest", ""},
	} {
		r, err := ParseReference(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if r.Repository() != c.repository || r.Tag() != c.tag || string(r.Digest()) != c.digest {
			t.Errorf("%s: got %q %q %q", c.in, r.Repository(), r.Tag(), r.Digest())
		}
		if want := strings.TrimPrefix(c.in, "docker://"); r.String() != want {
			t.Errorf("%s: String gives %s", c.in, r)
		}
	}
}

func TestParseReferenceRefusals(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "empty"},
		{"busybox:latest", "expected for example docker.io/library/busybox:latest"},
		{"os/web:stable", "no registry host"},
		{"registry.example/web", "neither tag nor digest, expected for example registry.example/web:latest"},
		{"registry.example", "no registry host"},
		{"registry.example:5000", "no registry host"},
		{"https://registry.example/web:1", `scheme "https://"`},
		{"oci-archive:/tmp/x", `port ""`},
		{"Registry.example/web:1", "lower case"},
		{"registry.example/Web:1", `component "Web"`},
		{"registry.example/web:", `tag ""`},
		{"registry.example/web:.1", `tag ".1"`},
		{"registry.example/web:" + strings.Repeat("a", 129), "1 to 128"},
		{"registry.example/web:a b", `tag "a b"`},
		{"registry.example/web:1\n", `tag "1\n"`},
		{" registry.example/web:1", "not a host name"},
		{"registry.example//web:1", `component ""`},
		{"registry.example/web/:1", `component ""`},
		{"registry.example/a..b:1", `component "a..b"`},
		{"registry.example/a___b:1", `component "a___b"`},
		{"registry.example/a-.b:1", `component "a-.b"`},
		{"registry.example/-a:1", `component "-a"`},
		{"registry.example/../etc:1", `component ".."`},
		{"registry.exa\x11mple/a:1", "not a host name"},
		{"registry.example/a:\x11", "tag"},
		{"registry.example/ä:1", "component"},
		{"registry..example/web:1", "not a host name"},
		{"-registry.example/web:1", "not a host name"},
		{"registry.example:0/web:1", `port "0"`},
		{"registry.example:65536/web:1", `port "65536"`},
		{"registry.example:080/web:1", `port "080"`},
		{"registry.example:/web:1", `port ""`},
		{"[::1/web:1", "IPv6"},
		{"[]:5000/web:1", "IPv6"},
		{"index.docker.io/library/busybox:1", "called docker.io"},
		{"docker.io/busybox:1", "expected docker.io/library/busybox"},
		{"registry.example/web@sha256:00", "64 hex digits"},
		{"registry.example/web@sha512:" + strings.Repeat("0", 128), "not sha256"},
		{"registry.example/web@" + strings.ToUpper(testDigest), "not sha256"},
		{"registry.example/web@" + testDigest + "@" + testDigest, "not sha256"},
		{"user@registry.example/web:1", "digest"},
		{"registry.example/" + strings.Repeat("a", 300) + ":1", "at most 255"},
		{"registry.example/" + strings.Repeat("a", 600) + ":1", "at most 512"},
	} {
		_, err := ParseReference(c.in)
		if !errors.Is(err, ErrReference) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: expected %q, got %v", c.in, c.want, err)
		}
	}
}

func TestParseDigest(t *testing.T) {
	if d, err := ParseDigest(testDigest); err != nil || d.Hex() != strings.Repeat("0a", 32) || d.String() != testDigest {
		t.Errorf("got %q, %v", d, err)
	}
	for _, s := range []string{"", "sha256", "sha256:", testDigest[:70], testDigest + "0", "sha256:" + strings.Repeat("0A", 32), "sha256:" + strings.Repeat("0g", 32), "SHA256:" + strings.Repeat("0a", 32)} {
		if _, err := ParseDigest(s); !errors.Is(err, ErrReference) {
			t.Errorf("%q: expected %v, got %v", s, ErrReference, err)
		}
	}
}

func TestZeroReference(t *testing.T) {
	var r Reference
	if !r.IsZero() || r.String() != "" {
		t.Errorf("got %q", r)
	}
}

func FuzzReference(f *testing.F) {
	for _, s := range []string{
		"registry.example/os/web:stable", "docker://localhost:5000/a@" + testDigest, "[::1]:1/a:b", "busybox", "a.b/c__d:e@" + testDigest, "a.b:5000", "x:y:z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseSigned(s); err == nil {
			again, err := parseSigned(Reference(n).String())
			if err != nil || again != n {
				t.Fatalf("%q: the name %v is read back as %v, %v", s, n, again, err)
			}
		}
		r, err := ParseReference(s)
		if err != nil {
			if !errors.Is(err, ErrReference) {
				t.Fatalf("%q: expected %v, got %v", s, ErrReference, err)
			}
			return
		}
		again, err := ParseReference(r.String())
		if err != nil || again != r {
			t.Fatalf("%q: %q is read back as %q, %v", s, r, again, err)
		}
		if r.IsZero() || r.Tag() == "" && r.Digest() == "" {
			t.Fatalf("%q: incomplete reference %q", s, r)
		}
	})
}
