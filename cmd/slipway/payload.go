package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/internal/version"
	"github.com/slipway-boot/slipway/payload/image"
	"github.com/slipway-boot/slipway/payload/pack"
)

func payloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "payload",
		Short: "Build payloads and look into them",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(payloadBuildCommand(), payloadInspectCommand())
	return cmd
}

func payloadBuildCommand() *cobra.Command {
	var o pack.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "build --policy FILE --config FILE --ca FILE --kernel-tree DIR --format FORMAT -o OUT",
		Short: "Build a payload from a kernel, a policy and a configuration",
		Long: "build puts a Linux kernel and slipway's /init together with a policy, TLS roots\n" +
			"and a configuration. The kernel comes from an unpacked Debian package, or from\n" +
			"any directory with boot/vmlinuz-* and lib/modules. An SPDX SBOM is written\n" +
			"beside the payload. $SOURCE_DATE_EPOCH fixes the build time, which is also the\n" +
			"earliest time the payload's clock may show.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Built, err = sourceDate(); err != nil {
				return err
			}
			if o.Init == "" {
				if o.Init, err = initBeside(); err != nil {
					return err
				}
			}
			o.Version = version.String()
			o.Progress = func(step string) { fmt.Fprintln(os.Stderr, "slipway: "+step) }
			r, err := pack.Build(cmd.Context(), o)
			if err != nil {
				return err
			}
			for _, w := range r.Warnings {
				fmt.Fprintln(os.Stderr, "slipway: warning: "+w)
			}
			if asJSON {
				return printJSON(cmd, r)
			}
			printBuilt(cmd.OutOrStdout(), r)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Format, "format", pack.UKI, strings.Join(pack.Formats(), " or "))
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
	jsonFlag(cmd, &asJSON)
	return cmd
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

func printBuilt(w io.Writer, r *pack.Result) {
	fmt.Fprintf(w, "%s: %s, %s, kernel %s, sha256 %s\n", r.Output, r.Format, bootlog.Bytes(r.Size), r.Release, r.SHA256)
	printParts(w, r.Parts)
}

func printParts(w io.Writer, parts []image.Part) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, p := range parts {
		fmt.Fprintf(t, "%d\t  %s\t\n", p.Size, p.Name)
	}
	t.Flush()
}

func payloadInspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Tell what a disk image, UKI, initramfs or kernel holds",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := pack.Inspect(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, info)
			}
			printInfo(cmd.OutOrStdout(), info)
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func printInfo(w io.Writer, info *pack.Info) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, text)
		}
	}
	row("format", "%s, %s", info.Format, bootlog.Bytes(info.Size))
	row("sha256", "%s", info.SHA256)
	if info.Payload {
		row("payload", "slipway %s, built %s", info.Version, info.Built.UTC().Format(time.RFC3339))
	}
	if info.Demo {
		row("warning", "built with demo keys: never use it on a real machine")
	}
	row("kernel", "%s", info.KernelRelease)
	row("command line", "%s", info.Cmdline)
	row("stub", "%s", info.Stub)
	if info.Policy != nil {
		row("policy", "sha256 %s, epoch %d, allows kargs %q", info.Policy.Hash, info.Policy.Boot.Epoch, info.Policy.Boot.Allow.Kargs)
		for _, r := range info.Policy.Rules {
			scope := r.Scope
			if scope == "" {
				scope = "everything else"
			}
			row("rule", "%s: %s %s", scope, r.Type, strings.Join(r.Keys, " "))
		}
	}
	for _, c := range info.Certificates {
		row("tls root", "%s, until %s", c.Subject, c.NotAfter.Format(time.DateOnly))
	}
	if info.SBOM != nil {
		row("sbom", "%s, %d packages, matches: %v", info.SBOM.Path, len(info.SBOM.Packages), info.SBOM.Matches)
	}
	t.Flush()
	printText(w, "configuration, built in:", info.Config)
	printText(w, "configuration, on the ESP:", info.ESPConfig)
	fmt.Fprintln(w, "parts, in bytes:")
	printParts(w, info.Parts)
}

func printText(w io.Writer, title, text string) {
	if text == "" {
		return
	}
	fmt.Fprintln(w, title)
	for line := range strings.Lines(text) {
		fmt.Fprint(w, "    "+line)
	}
}
