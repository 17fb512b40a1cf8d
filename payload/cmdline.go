package payload

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/kexecer"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
)

// Ways to the root, the values of slipway.root.
const (
	rootDirect = "direct" // the runtime is the next kernel's init and switches root itself
	rootInitrd = "initrd" // the image's own initramfs runs and finds the root beside it
)

// Arg is one argument of the next kernel and where it came from.
type Arg = report.Value

// RootWay decides between the two: auto is direct.
func RootWay(c *config.Config) string {
	if c.Root == rootInitrd {
		return rootInitrd
	}
	return rootDirect
}

// ours are slipway's own arguments, by way. An ESP that the firmware names
// must not be taken for a root or mounted behind the image's back, so
// systemd's search for partitions is off. The root lies in the initramfs,
// which as a tmpfs would hold at most half of memory; a ramfs has no such
// bound.
var ours = map[string][]string{
	rootDirect: {"rootfstype=ramfs", "systemd.gpt_auto=0"},
	rootInitrd: {"systemd.gpt_auto=0"},
}

// notPassedOn are parameters of an image's kargs.d that name a disk
// installation or a boot loader's own doing; a live root has neither.
var notPassedOn = []string{"ostree", "composefs", "BOOT_IMAGE", "initrd", "root", "rootfstype", "rootflags", "rdinit", "slipway.*"}

// neverAllowed are parameters that a configuration cannot add whatever
// allow.kargs says: they replace the program or the root that was verified.
var neverAllowed = []string{"init", "rdinit", "root", "rootfstype", "rootflags", "initrd", "slipway.*", "systemd.gpt_auto", "--"}

// NextCmdline builds the boot image's command line: the image's own kargs.d,
// the configuration's additions, slipway's needs, and the digest that was
// verified. plan and the loader share it, so that one foretells the other.
// Errors wrap oci.ErrPolicy (an argument that is not allowed) or
// kexecer.ErrCmdline.
func NextCmdline(kargs []oci.Karg, conf *config.Config, policy oci.BootPolicy, digest oci.Digest) ([]Arg, string, error) {
	var args []Arg
	for _, k := range kargs {
		if key, _, _ := kexecer.Param(k.Value); !matchAny(notPassedOn, key) {
			args = append(args, Arg{Value: k.Value, Origin: "image " + k.Origin})
		}
	}
	for _, value := range conf.Kargs {
		if err := allowed(value, policy.Allow); err != nil {
			return nil, "", err
		}
		args = append(args, Arg{Value: value, Origin: "configuration " + conf.Origin("kargs")})
	}
	for _, value := range ours[RootWay(conf)] {
		args = append(args, Arg{Value: value, Origin: "slipway"})
	}
	args = append(args, Arg{Value: "slipway.digest=" + string(digest), Origin: "slipway"})

	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a.Value
	}
	line, err := kexecer.Join(words)
	return args, line, err
}

// allowed refuses an argument from a configuration that the policy does not
// name. Quotes and white space are refused so that one argument stays one.
func allowed(arg string, allow oci.Allow) error {
	if strings.ContainsAny(arg, " \t\n\"'") {
		return fmt.Errorf("%w: kargs: %q: expected one argument without quotes or white space", oci.ErrPolicy, arg)
	}
	key, _, _ := strings.Cut(arg, "=")
	if matchAny(neverAllowed, key) {
		return fmt.Errorf("%w: kargs: %q can never come from a configuration", oci.ErrPolicy, arg)
	}
	if !allow.Karg(arg) {
		return fmt.Errorf("%w: kargs: %q: expected one of allow.kargs %q", oci.ErrPolicy, arg, allow.Kargs)
	}
	return nil
}

// matchAny compares a parameter's name with patterns as the kernel does, with
// '-' equal to '_'.
func matchAny(patterns []string, key string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(strings.ReplaceAll(p, "-", "_"), strings.ReplaceAll(key, "-", "_"))
		return ok && err == nil
	})
}
