package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/pack"
)

// policyName is the file of a policy in its directory.
const policyName = "policy.json"

// checkedPolicy is policy check's answer.
type checkedPolicy struct {
	File string `json:"file"`
	pack.Policy
	Warnings []string `json:"warnings"`
}

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Look into policies",
		Args:  takes(),
		RunE:  help,
	}
	cmd.AddCommand(policyCheckCommand())
	return cmd
}

func policyCheckCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check DIR|FILE",
		Short: "Explain a policy in words, or say what is wrong with it",
		Long:  "check reads policy.json, the keys it names and boot-policy.toml beside it, as\nthe loader will, and says what they mean. Exit status 1: something in them is\nnot supported.",
		Args:  takes("DIR|FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := args[0]
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				file = filepath.Join(file, policyName)
			}
			p, err := loadPolicy(file)
			if err != nil {
				return err
			}
			answer := checkedPolicy{file, pack.Policy{Hash: p.Hash(), Rules: p.Rules(), Boot: pack.BootPolicy{BootPolicy: p.Boot()}}, policyWarnings(p)}
			if asJSON {
				return printJSON(cmd, answer)
			}
			return printPolicy(cmd.OutOrStdout(), answer)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// policyWarnings lists what a policy may say but nobody can want.
func policyWarnings(p *oci.Policy) []string {
	list := []string{}
	rules := p.Rules()
	if !slices.ContainsFunc(rules, func(r oci.Rule) bool { return !r.Rejects() }) {
		list = append(list, "no image is ever accepted: payload build refuses this policy")
	}
	if slices.ContainsFunc(rules, func(r oci.Rule) bool { return r.Scope == "" && !r.Default }) {
		list = append(list, `the default is never asked: scope "" is for every image`)
	}
	signed := func(q oci.Requirement) bool { return len(q.Keys) > 0 }
	open := func(r oci.Rule) bool { return !r.Rejects() && !slices.ContainsFunc(r.Requirements, signed) }
	if p.Boot().Allow.Unsigned && !slices.ContainsFunc(rules, open) {
		list = append(list, "allow.unsigned is on, but no scope accepts images without a signature")
	}
	return list
}

func printPolicy(w io.Writer, p checkedPolicy) error {
	t := newTable(w)
	t.row("policy", "%s", p.File)
	t.row("sha256", "%s", p.Hash)
	for _, text := range p.Warnings {
		t.row("warning", "%s", text)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, r := range p.Rules {
		fmt.Fprintf(w, "\n%s: %s\n", printable(r.Name()), r.Covers())
		for _, line := range r.Explain() {
			fmt.Fprintln(w, printable("  "+line))
		}
	}
	fmt.Fprintf(w, "\n%s:\n", oci.BootPolicyFile)
	t = newTable(w)
	for _, s := range p.Boot.Explain() {
		fmt.Fprintf(t.w, "  %s\t%s\t%s\n", s.Key, printable(s.Value), s.Meaning)
	}
	return t.flush()
}
