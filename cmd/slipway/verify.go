package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/oci"
)

// verified is verify's answer for an image that was accepted. The fields are
// those of plan's.
type verified struct {
	Reference string        `json:"reference"`
	Digest    oci.Digest    `json:"digest"`
	Instance  oci.Digest    `json:"instance,omitempty"` // if the digest is an index's
	Policy    string        `json:"policy_sha256"`
	Signers   []oci.Signer  `json:"signers"`
	Findings  []oci.Finding `json:"findings"`
}

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
		Args:  takes("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := verify(cmd, args[0], policy, &flags)
			if err != nil {
				return showRefused(cmd, asJSON, err)
			}
			if asJSON {
				return printJSON(cmd, v)
			}
			t := newTable(cmd.OutOrStdout())
			t.verified(v)
			err = t.flush()
			printFindings(cmd.OutOrStdout(), v.Findings)
			return err
		},
	}
	flags.add(cmd)
	policyFlag(cmd, &policy)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func verify(cmd *cobra.Command, reference, policyFile string, flags *clientFlags) (*verified, error) {
	a, err := flags.accept(cmd, reference, policyFile)
	if err != nil {
		return nil, err
	}
	return a.answer(), nil
}

// accepted is an image that a policy accepts, and the means to fetch its
// layers.
type accepted struct {
	client *oci.Client
	policy *oci.Policy
	image  *oci.Image
}

// accept fetches an image's manifest and signatures and judges them.
func (f *clientFlags) accept(cmd *cobra.Command, reference, policyFile string) (*accepted, error) {
	ref, err := parseReference(reference)
	if err != nil {
		return nil, err
	}
	policy, err := loadPolicy(policyFile)
	if err != nil {
		return nil, err
	}
	client, err := f.client()
	if err != nil {
		return nil, err
	}
	signed, err := client.Fetch(cmd.Context(), ref)
	if err != nil {
		return nil, err
	}
	image, err := policy.Verify(signed, oci.VerifyOptions{Now: time.Now(), ClockTrusted: true})
	if err != nil {
		return nil, err
	}
	return &accepted{client, policy, image}, nil
}

func (a *accepted) answer() *verified {
	v := &verified{a.image.Reference().String(), a.image.Digest(), a.image.Instance(), a.policy.Hash(), a.image.Signers(), a.image.Findings()}
	if v.Instance == v.Digest {
		v.Instance = ""
	}
	return v
}

// verified adds rows for what was verified, signers included.
func (t table) verified(v *verified) {
	t.row("reference", "%s", v.Reference)
	t.row("digest", "%s", v.Digest)
	if v.Instance != "" {
		t.row("instance", "%s", v.Instance)
	}
	t.row("policy", "sha256 %s", v.Policy)
	t.signers(v.Signers)
}

// showRefused prints for people what was looked at before an image was
// refused. It returns err.
func showRefused(cmd *cobra.Command, asJSON bool, err error) error {
	var refused *oci.VerifyError
	if errors.As(err, &refused) && !asJSON {
		printFindings(cmd.OutOrStdout(), refused.Findings)
	}
	return err
}
