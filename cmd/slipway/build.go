package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/internal/version"
	"github.com/slipway-boot/slipway/payload/pack"
)

func payloadBuildCommand() *cobra.Command {
	var o pack.Options
	var asJSON bool
	format := newChoice(pack.Formats()...)
	cmd := &cobra.Command{
		Use:   "build --policy FILE --config FILE --ca FILE --kernel-tree DIR --format FORMAT -o OUT",
		Short: "Build a payload from a kernel, a policy and a configuration",
		Long: "build puts a Linux kernel and slipway's /init together with a policy, TLS roots\n" +
			"and a configuration. The kernel comes from an unpacked Debian package, or from\n" +
			"any directory with boot/vmlinuz-* and lib/modules. An SPDX SBOM is written\n" +
			"beside the payload. $SOURCE_DATE_EPOCH fixes the build time, which is also the\n" +
			"earliest time the payload's clock may show.",
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Format = format.value
			r, err := build(cmd, o)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, r)
			}
			return printBuilt(cmd.OutOrStdout(), r)
		},
	}
	buildFlags(cmd, &o)
	format.add(cmd, "format", "`format` of the payload")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func buildFlags(cmd *cobra.Command, o *pack.Options) {
	f := cmd.Flags()
	f.StringVarP(&o.Output, "output", "o", "", "`file` to write")
	f.StringVar(&o.KernelTree, "kernel-tree", "", "`directory` of an unpacked kernel package")
	f.StringVar(&o.KernelImage, "kernel", "", "bzImage `file` (default: the one in the kernel tree)")
	f.StringVar(&o.Release, "release", "", "kernel `release`, if the tree holds several")
	f.StringArrayVar(&o.Modules, "module", nil, "kernel module `name` to add to the default set; repeatable")
	f.StringVar(&o.PolicyFile, "policy", "", "policy.json `file`; boot-policy.toml is read from beside it")
	f.StringVar(&o.ConfigFile, "config", "", "slipway.toml `file`")
	f.StringVar(&o.CAFile, "ca", "", "PEM `file` with the CAs that registries' certificates chain to")
	f.StringVar(&o.Cmdline, "cmdline", pack.DefaultCmdline, "command `line` of the payload's kernel")
	f.StringVar(&o.Stub, "stub", pack.DefaultStub, "EFI stub `file`, from Debian's package systemd-boot-efi")
	f.StringVar(&o.Init, "init", "", "slipway-init `file` (default: beside this program)")
	f.BoolVar(&o.Demo, "demo", false, "mark the payload as built with throw-away keys")
	for _, name := range []string{"output", "policy", "config", "ca"} {
		_ = cmd.MarkFlagRequired(name)
	}
	_ = cmd.MarkFlagDirname("kernel-tree")
}

func build(cmd *cobra.Command, o pack.Options) (*pack.Result, error) {
	var err error
	if o.Built, err = sourceDate(); err != nil {
		return nil, err
	}
	if o.Init == "" {
		if o.Init, err = initBeside(); err != nil {
			return nil, err
		}
	}
	say := func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), "slipway: "+text) }
	o.Version, o.Progress = version.String(), say
	r, err := pack.Build(cmd.Context(), o)
	if err != nil {
		return nil, inFile(err)
	}
	for _, w := range r.Warnings {
		say("warning: " + w)
	}
	return r, nil
}

// sourceDate is the build time that reproducible builds are given
// (https://reproducible-builds.org/specs/source-date-epoch/); zero if none is.
func sourceDate() (time.Time, error) {
	text, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, usageError{fmt.Errorf("SOURCE_DATE_EPOCH: expected seconds since 1970, got %q", text)}
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// initBeside finds the program that make build puts beside this one.
func initBeside() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	file := filepath.Join(filepath.Dir(self), "slipway-init")
	if _, err := os.Stat(file); err != nil {
		return "", hinted{fmt.Errorf("init: %w", err), "run make build, or name the program with --init"}
	}
	return file, nil
}

func printBuilt(w io.Writer, r *pack.Result) error {
	t := newTable(w)
	t.row("payload", "%s", r.Output)
	t.row("format", "%s, %s", r.Format, bootlog.Bytes(r.Size))
	t.row("sha256", "%s", r.SHA256)
	t.row("kernel", "%s", r.Release)
	t.row("command line", "%s", r.Cmdline)
	t.row("policy", "sha256 %s", r.Policy)
	t.row("sbom", "%s", r.SBOM)
	err := t.flush()
	printParts(w, r.Parts)
	return err
}
