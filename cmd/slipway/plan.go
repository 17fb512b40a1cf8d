package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/payload"
	"github.com/slipway-boot/slipway/payload/config"
)

// planning is what plan was called with.
type planning struct {
	clientFlags
	policy, config string
	memory         size
}

func planCommand() *cobra.Command {
	var o planning
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan REFERENCE --policy FILE",
		Short: "Say everything the loader would do, without doing it",
		Long:  "plan fetches and verifies an image and prints what the loader would go on to\ndo with it: kernel, root, command line with the origin of each argument, bytes\nto fetch, memory needed. With --memory it fails if that is too little.",
		Args:  takes("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.plan(cmd, args[0])
			if err != nil {
				return showRefused(cmd, asJSON, err)
			}
			if asJSON {
				err = printJSON(cmd, p)
			} else {
				err = printPlan(cmd.OutOrStdout(), p)
			}
			if err != nil || o.memory == 0 {
				return err
			}
			return enough(p, o.memory)
		},
	}
	o.add(cmd)
	policyFlag(cmd, &o.policy)
	cmd.Flags().StringVar(&o.config, "config", "", "slipway.toml `file`; --mirror takes the place of its mirrors")
	cmd.Flags().Var(&o.memory, "memory", "`size` of the machine's memory, as 2G or 900M")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (o *planning) plan(cmd *cobra.Command, reference string) (*payload.Plan, error) {
	ref, err := parseReference(reference)
	if err != nil {
		return nil, err
	}
	policy, err := loadPolicy(o.policy)
	if err != nil {
		return nil, err
	}
	conf, err := readConfig(o.config)
	if err != nil {
		return nil, err
	}
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	if len(client.Mirrors) == 0 {
		client.Mirrors = payload.Mirrors(conf)
	}
	defer showProgress(client, cmd.ErrOrStderr())()
	return payload.MakePlan(cmd.Context(), ref, payload.PlanOptions{Client: client, Policy: policy, Conf: conf})
}

// readConfig reads a slipway.toml; "" means none.
func readConfig(file string) (*config.Config, error) {
	if file == "" {
		return config.Defaults(), nil
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if _, err := config.Parse(src, file); err != nil {
		return nil, err
	}
	// The origin that the plan names is the loader's name for this file.
	return config.Parse(src, "built in")
}

func printPlan(w io.Writer, p *payload.Plan) error {
	t := newTable(w)
	t.row("reference", "%s", p.Reference)
	t.row("digest", "%s", p.Digest)
	if p.Instance != "" {
		t.row("instance", "%s", p.Instance)
	}
	t.row("policy", "sha256 %s", p.Policy)
	t.signers(p.Signers)
	t.row("fetch", "%s in %d layers", bootlog.Bytes(p.Fetch), len(p.Layers))
	t.row("kernel", "%s, %s", p.KernelRelease, bootlog.Bytes(p.KernelSize))
	t.row("root", "%s, %s", p.Root, bootlog.Bytes(p.RootSize))
	t.row("memory", "%d MiB or more", mebibytes(p.Memory))
	widest := 0
	for _, a := range p.Args {
		widest = max(widest, len(a.Origin))
	}
	for i, a := range p.Args {
		name := ""
		if i == 0 {
			name = "arguments"
		}
		t.row(name, "%-*s  %s", widest, a.Origin, a.Value)
	}
	err := t.flush()
	printFindings(w, p.Findings)
	return err
}

// enough fails if the plan needs more memory than a machine has.
func enough(p *payload.Plan, have size) error {
	if int64(have) >= p.Memory {
		return nil
	}
	return fmt.Errorf("plan: %w: expected %d MiB or more, got %d MiB", payload.ErrMemory, mebibytes(p.Memory), have.mebibytes())
}
