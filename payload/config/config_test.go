package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

const full = `schema = 1
reference = "registry.example/os/web:stable"
fallback = ["registry.example/os/web:previous"]
kargs = ["console=ttyS0,115200", "quiet"]
root = "initrd"
ntp = ["10.0.2.2:10123"]
check-root = true
network-timeout = "1m"
attempts = 2
wait = "1s"
after-failure = "poweroff"

[mirrors]
"registry.example" = ["10.0.2.2:5000", "10.0.2.3:5000/cache"]
`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(full), "slipway.toml")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Candidates(), []string{"registry.example/os/web:stable", "registry.example/os/web:previous"}; !slices.Equal(got, want) {
		t.Errorf("candidates: expected %q, got %q", want, got)
	}
	if got, want := c.Mirrors["registry.example"], []string{"10.0.2.2:5000", "10.0.2.3:5000/cache"}; !slices.Equal(got, want) {
		t.Errorf("mirrors: expected %q, got %q", want, got)
	}
	if !c.CheckRoot || c.NetworkTimeout != time.Minute || c.Attempts != 2 || c.AfterFailure != "poweroff" {
		t.Errorf("got %+v", c)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	c := Defaults()
	if err := c.ParseTOML([]byte(full), "built in"); err != nil {
		t.Fatal(err)
	}
	if err := c.ParseTOML([]byte("schema = 1\nroot = \"direct\"\ncmdline = \"slipway.attempts=7 quiet\""), "ESP"); err != nil {
		t.Fatal(err)
	}
	if err := c.ParseCmdline(`quiet slipway.ntp=a,b slipway.ntp=c slipway.mirrors=r.example=h:1 slipway.check_root=0 -- slipway.root=nonsense`, "command line"); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]Value{
		"root":      {"root", "direct", "ESP"},
		"attempts":  {"attempts", "7", "ESP cmdline"},
		"ntp":       {"ntp", "a b c", "command line"},
		"mirrors":   {"mirrors", "r.example=h:1", "command line"},
		"wait":      {"wait", "1s", "built in"},
		"reference": {"reference", "registry.example/os/web:stable", "built in"},
	} {
		if i := slices.IndexFunc(c.Values(), func(v Value) bool { return v.Key == key }); i < 0 || c.Values()[i] != want {
			t.Errorf("%s: expected %v, got %v", key, want, c.Values())
		}
	}
	if c.Origin("fallback") != "built in" || c.CheckRoot {
		t.Errorf("got fallback from %q, check-root %v", c.Origin("fallback"), c.CheckRoot)
	}
}

func TestPresets(t *testing.T) {
	for _, k := range keys {
		if k.preset != "" {
			if err := k.set(Defaults(), []string{k.preset}); err != nil {
				t.Errorf("%s: %v", k.name, err)
			}
		}
	}
}

func TestKargsKeepTheirCommas(t *testing.T) {
	c := Defaults()
	if err := c.ParseCmdline(`slipway.kargs="console=ttyS0,115200 quiet"`, "command line"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"console=ttyS0,115200", "quiet"}; !slices.Equal(c.Kargs, want) {
		t.Errorf("expected %q, got %q", want, c.Kargs)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", "expected schema = 1"},
		{"schema = 2", "expected schema = 1, got 2"},
		{"schema = 1\nrefrence = \"a.example/b:c\"", `line 2: configuration: unknown key "refrence": did you mean "reference"?`},
		{"schema = 1", "reference is empty"},
		{"schema = 1\nreference = \"\"", "line 2: configuration: reference: expected one value that is not empty"},
		{"schema = 1\nreference = \"debian:stable\"", "line 2"},
		{"schema = 1\nfallback = [\"a.example/b@sha256:12\"]", "line 2"},
		{"schema = 1\nreference = 7", "expected a string, got 7"},
		{"schema = 1\nkargs = \"a\"", "expected an array of strings"},
		{"schema = 1\nroot = \"ram\"", "expected auto, direct, initrd, got \"ram\""},
		{"schema = 1\nattempts = 0", "expected a number from 1 to 100"},
		{"schema = 1\nwait = \"2h\"", "expected a duration"},
		{"schema = 1\n[mirrors]\n\"a\" = [\"https://b\"]", "mirror"},
		{"schema = 1\nroot = ", "line 2"},
		{"schema = 1\ncmdline = \"slipway.rot=direct\"", `did you mean "root"?`},
		{"schema = 1\nwait = \"1s\"\nwait = \"2s\"", "line 3"},
		{strings.Repeat("#", maxBytes+1), "expected at most"},
	} {
		_, err := Parse([]byte(c.src), "slipway.toml")
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: expected an error with %q, got %v", c.src, c.want, err)
		}
	}
	if err := Defaults().ParseCmdline("slipway.wiat=1s", "command line"); err == nil || !strings.Contains(err.Error(), `did you mean "wait"?`) {
		t.Errorf("unknown word on the command line: got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full), "slipway.root=direct slipway.mirrors=a=b")
	f.Add([]byte("schema = 1\n[mirrors]\n"), `slipway.kargs="a b"`)
	f.Fuzz(func(t *testing.T, src []byte, line string) {
		c := Defaults()
		if c.ParseTOML(src, "fuzz") == nil && c.ParseCmdline(line, "fuzz") == nil {
			c.Values()
		}
	})
}
