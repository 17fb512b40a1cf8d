package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/pack"
)

func payloadInspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Tell what a disk image, UKI, initramfs or kernel holds",
		Long:  "inspect takes a file apart and prints what it finds: versions, command line,\nkernel modules, policy and keys, TLS roots, configuration, and the SBOM beside\nit. Nothing of it is verified: it is what the file says of itself.",
		Args:  takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := pack.Inspect(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, info)
			}
			return printInfo(cmd.OutOrStdout(), info)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func printInfo(w io.Writer, info *pack.Info) error {
	t := newTable(w)
	optional := func(name, text string) {
		if text != "" {
			t.row(name, "%s", text)
		}
	}
	t.row("format", "%s, %s", info.Format, bootlog.Bytes(info.Size))
	t.row("sha256", "%s", info.SHA256)
	if info.Payload {
		t.row("payload", "slipway %s, built %s", info.Version, info.Built.UTC().Format(time.RFC3339))
	}
	if info.Demo {
		t.row("warning", "built with throw-away keys: never use it on a real machine")
	}
	optional("kernel", info.KernelRelease)
	optional("command line", info.Cmdline)
	optional("stub", strings.TrimPrefix(strings.Trim(info.Stub, "# "), "LoaderInfo: "))
	if n := len(info.Modules); n > 0 {
		t.row("modules", "%d", n)
	}
	if info.Policy != nil {
		t.policy(info.Policy)
	}
	for _, c := range info.Certificates {
		t.row("tls root", "%s, until %s", c.Subject, c.NotAfter.Format(time.DateOnly))
	}
	if s := info.SBOM; s != nil {
		what := "of this file"
		if !s.Matches {
			what = "of ANOTHER file"
		}
		t.row("sbom", "%s: %d packages, %s", s.Path, len(s.Packages), what)
	}
	err := t.flush()
	printText(w, "configuration, built in", info.Config)
	if info.ESPConfig == info.Config && info.Config != "" {
		fmt.Fprintln(w, "configuration, on the ESP: the same")
	} else {
		printText(w, "configuration, on the ESP", info.ESPConfig)
	}
	printParts(w, info.Parts)
	return err
}

// policy adds rows for what a payload trusts and allows.
func (t table) policy(p *pack.Policy) {
	t.row("policy", "sha256 %s", p.Hash)
	for _, r := range p.Rules {
		for _, q := range r.Requirements {
			t.row("rule", "%s", strings.Join(append([]string{r.Name() + ":", q.Type}, q.Keys...), " "))
		}
	}
	t.row("floors", "epoch %d, expires %s, ref %s, bundle identity %s", p.Boot.Epoch, p.Boot.Expires, p.Boot.Ref, p.Boot.BundleIdentity)
	t.row("allows", "%s", allowed(p.Boot.Allow))
}

// allowed lists what a policy lets happen beside the plain boot.
func allowed(a oci.Allow) string {
	var list []string
	if len(a.Kargs) > 0 {
		list = append(list, "kargs "+strings.Join(a.Kargs, " "))
	}
	for _, x := range []struct {
		name string
		on   bool
	}{
		{"containers", a.Containers}, {"wipe", a.Wipe}, {"insecure-registry", a.InsecureRegistry},
		{"unsigned-extra-args", a.UnsignedExtraArgs}, {"rescue", a.Rescue}, {"unsigned images", a.Unsigned},
	} {
		if x.on {
			list = append(list, x.name)
		}
	}
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

func printText(w io.Writer, title, text string) {
	if text == "" {
		return
	}
	fmt.Fprintln(w, title+":")
	for line := range strings.Lines(text) {
		fmt.Fprintln(w, strings.TrimRight("    "+printable(strings.TrimRight(line, "\r\n")), " "))
	}
}
