package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload"
	"github.com/slipway-boot/slipway/payload/config"
)

func verifyCommand() *cobra.Command {
	var (
		flags  clientFlags
		policy string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "verify REFERENCE --policy FILE",
		Short: "Judge an image's signatures as the loader would",
		Long:  "verify fetches an image's manifest and signatures and judges them by the\npolicy. It prints every signature it looked at. Exit status 1: refused.",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			image, err := verify(cmd, args[0], policy, &flags)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, map[string]any{
					"reference": image.Reference().String(), "digest": image.Digest(), "instance": image.Instance(),
					"signers": image.Signers(), "findings": image.Findings(),
				})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s@%s\n%s\n", image.Reference(), image.Digest(), payload.DescribeSigners(image))
			printFindings(cmd.OutOrStdout(), image.Findings())
			return nil
		},
	}
	flags.add(cmd)
	policyFlag(cmd, &policy)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func policyFlag(cmd *cobra.Command, policy *string) {
	cmd.Flags().StringVar(policy, "policy", "", "policy.json `file`; boot-policy.toml is read from beside it")
	_ = cmd.MarkFlagRequired("policy")
}

func verify(cmd *cobra.Command, reference, policyFile string, flags *clientFlags) (*oci.Image, error) {
	ref, err := parseReference(reference)
	if err != nil {
		return nil, err
	}
	policy, err := oci.LoadPolicy(policyFile)
	if err != nil {
		return nil, err
	}
	client, err := flags.client()
	if err != nil {
		return nil, err
	}
	signed, err := client.Fetch(cmd.Context(), ref)
	if err != nil {
		return nil, err
	}
	return policy.Verify(signed, oci.VerifyOptions{Now: time.Now(), ClockTrusted: true})
}

func printFindings(w io.Writer, findings []oci.Finding) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	for _, f := range findings {
		verdict := "not counted"
		if f.Counted {
			verdict = "counted"
		}
		fmt.Fprintf(t, "  %s\t%s\t%.12s\t%s\t%s\n", verdict, f.Format, f.KeyID, f.Source, f.Reason)
	}
}

func planCommand() *cobra.Command {
	var (
		flags                clientFlags
		policy, conf, memory string
		asJSON               bool
	)
	cmd := &cobra.Command{
		Use:   "plan REFERENCE --policy FILE",
		Short: "Say everything the loader would do, without doing it",
		Long:  "plan fetches and verifies an image and prints what the loader would go on to\ndo with it: kernel, root, command line with the origin of each argument, bytes\nto fetch, memory needed. With --memory it fails if that is too little.",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := makePlan(cmd, args[0], policy, conf, &flags)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd, p)
			} else {
				printPlan(cmd.OutOrStdout(), p)
			}
			if err != nil || memory == "" {
				return err
			}
			return enough(p, memory)
		},
	}
	flags.add(cmd)
	policyFlag(cmd, &policy)
	cmd.Flags().StringVar(&conf, "config", "", "slipway.toml `file`; --mirror takes the place of its mirrors")
	cmd.Flags().StringVar(&memory, "memory", "", "`size` of the machine's memory, as 2G or 900M")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func makePlan(cmd *cobra.Command, reference, policyFile, configFile string, flags *clientFlags) (*payload.Plan, error) {
	ref, err := parseReference(reference)
	if err != nil {
		return nil, err
	}
	policy, err := oci.LoadPolicy(policyFile)
	if err != nil {
		return nil, err
	}
	conf := config.Defaults()
	if configFile != "" {
		src, err := os.ReadFile(configFile)
		if err != nil {
			return nil, err
		}
		// The origin is named as the loader names it for the built-in file.
		if conf, err = config.Parse(src, "built in"); err != nil {
			return nil, err
		}
	}
	client, err := flags.client()
	if err != nil {
		return nil, err
	}
	if len(client.Mirrors) == 0 {
		client.Mirrors = payload.Mirrors(conf)
	}
	defer showProgress(client, 4, "extract")()
	return payload.MakePlan(cmd.Context(), ref, payload.PlanOptions{Client: client, Policy: policy, Conf: conf})
}

func printPlan(w io.Writer, p *payload.Plan) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	row("reference", "%s", p.Reference)
	row("digest", "%s", p.Digest)
	if p.Instance != "" {
		row("instance", "%s", p.Instance)
	}
	for _, s := range p.Signers {
		row("signed by", "%s (%s)", s.KeyID, s.Format)
	}
	row("fetch", "%s in %d layers", bootlog.Bytes(p.Fetch), len(p.Layers))
	row("kernel", "%s, %s", p.KernelRelease, bootlog.Bytes(p.KernelSize))
	row("root", "%s, %s", p.Root, bootlog.Bytes(p.RootSize))
	row("memory", "%s or more", bootlog.Bytes(p.Memory))
	for i, a := range p.Args {
		name := ""
		if i == 0 {
			name = "arguments"
		}
		row(name, "%s\t%s", a.Value, a.Origin)
	}
	t.Flush()
	printFindings(w, p.Findings)
}

// enough fails if the plan needs more than a machine of this size has.
func enough(p *payload.Plan, size string) error {
	have, err := parseSize(size)
	if err != nil {
		return usageError{err}
	}
	if have < p.Memory {
		return fmt.Errorf("plan: memory: expected at least %s, got %s: %w", bootlog.Bytes(p.Memory), bootlog.Bytes(have), payload.ErrMemory)
	}
	return nil
}

// parseSize reads 512M, 2G or 1048576 (binary units).
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(strings.ToUpper(s), "KMGIB")
	n, err := strconv.ParseInt(digits, 10, 64)
	shift, ok := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30}[strings.TrimRight(strings.ToUpper(s[len(digits):]), "IB")]
	if err != nil || !ok || n <= 0 || n > 1<<40>>shift<<10 {
		return 0, fmt.Errorf("expected a size as 900M or 2G, got %q", s)
	}
	return n << shift, nil
}
