package payload

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/kexecer"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
)

const digest = oci.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")

func conf(t *testing.T, words string) *config.Config {
	t.Helper()
	c := config.Defaults()
	if err := c.ParseCmdline(words, "test"); err != nil {
		t.Fatal(err)
	}
	return c
}

func allow(patterns ...string) oci.BootPolicy {
	return oci.BootPolicy{Allow: oci.Allow{Kargs: patterns}}
}

func TestNextCmdline(t *testing.T) {
	kargs := []oci.Karg{
		{Value: "console=tty0", Origin: "10-console.toml"},
		{Value: "root=UUID=1234", Origin: "20-disk.toml"},
		{Value: "ostree=/ostree/boot.1", Origin: "20-disk.toml"},
		{Value: "slipway.root=initrd", Origin: "20-disk.toml"},
		{Value: `dyndbg="file a +p"`, Origin: "30-debug.toml"},
	}
	args, line, err := NextCmdline(kargs, conf(t, `slipway.kargs="console=ttyS0,115200 quiet"`), allow("console=*", "quiet"), digest)
	if err != nil {
		t.Fatal(err)
	}
	want := `console=tty0 dyndbg="file a +p" console=ttyS0,115200 quiet rootfstype=ramfs systemd.gpt_auto=0 slipway.digest=` + string(digest)
	if line != want {
		t.Errorf("expected %q\n     got %q", want, line)
	}
	origins := []string{"image 10-console.toml", "image 30-debug.toml", "configuration test", "configuration test", "slipway", "slipway", "slipway"}
	for i, a := range args {
		if a.Origin != origins[i] {
			t.Errorf("origin of %s: expected %q, got %q", a.Value, origins[i], a.Origin)
		}
	}
	_, line, err = NextCmdline(nil, conf(t, "slipway.root=initrd"), allow(), digest)
	if err != nil || line != "systemd.gpt_auto=0 slipway.digest="+string(digest) {
		t.Errorf("initrd: got %q, %v", line, err)
	}
}

func TestKargsThePolicyDoesNotAllow(t *testing.T) {
	everything := allow("*")
	for _, c := range []struct {
		karg   string
		policy oci.BootPolicy
	}{
		{"quiet", allow()},
		{"quiet", allow("console=*")},
		{"init=/bin/sh", everything},
		{"rdinit=/x", everything},
		{"slipway.digest=sha256:0", everything},
		{"systemd.gpt-auto=1", everything},
		{"root=/dev/sda1", everything},
		{"--", everything},
	} {
		cfg := config.Defaults()
		cfg.Kargs = []string{c.karg}
		if _, _, err := NextCmdline(nil, cfg, c.policy, digest); !errors.Is(err, oci.ErrPolicy) {
			t.Errorf("%q under %q: expected ErrPolicy, got %v", c.karg, c.policy.Allow.Kargs, err)
		}
	}
	for _, smuggled := range []string{"console=x init=/bin/sh", `console="x`, "console=x\tinit=/bin/sh"} {
		cfg := config.Defaults()
		cfg.Kargs = []string{smuggled}
		if _, _, err := NextCmdline(nil, cfg, everything, digest); !errors.Is(err, oci.ErrPolicy) {
			t.Errorf("%q: expected ErrPolicy, got %v", smuggled, err)
		}
	}
}

func TestCmdlineTooLong(t *testing.T) {
	kargs := []oci.Karg{{Value: strings.Repeat("x", kexecer.MaxCmdline), Origin: "a.toml"}}
	if _, _, err := NextCmdline(kargs, config.Defaults(), allow(), digest); !errors.Is(err, kexecer.ErrCmdline) {
		t.Errorf("expected ErrCmdline, got %v", err)
	}
}

func TestRootWay(t *testing.T) {
	for words, want := range map[string]string{"": rootDirect, "slipway.root=direct": rootDirect, "slipway.root=initrd": rootInitrd} {
		if got := RootWay(conf(t, words)); got != want {
			t.Errorf("%q: expected %s, got %s", words, want, got)
		}
	}
}

func TestMirrors(t *testing.T) {
	got := Mirrors(conf(t, "slipway.mirrors=a.example=h:1,a.example=h:2"))
	if want := []oci.Mirror{{Prefix: "a.example", Location: "h:1"}, {Prefix: "a.example", Location: "h:2"}}; !slices.Equal(got, want) {
		t.Errorf("expected %v, got %v", want, got)
	}
}
