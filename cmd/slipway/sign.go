package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/oci"
)

// signing is what sign was called with.
type signing struct {
	clientFlags
	oci.SignOptions
	key, passwordFile string
	annotations       []string
	format            choice
}

func signCommand() *cobra.Command {
	s := signing{format: newChoice(oci.FormatBoth, oci.FormatTag, oci.FormatBundle)}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sign REFERENCE --key FILE",
		Short: "Sign an image in its registry",
		Long:  "sign signs what the reference stands for at this moment and pushes the\nsignatures beside it, in both of cosign's formats: the .sig tag that podman and\nbootc read, and the bundle that cosign 3 writes.",
		Args:  takes("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			signatures, err := s.sign(cmd, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, signatures)
			}
			t := newTable(cmd.OutOrStdout())
			t.row("key", "%s", signatures[0].KeyID)
			for _, sg := range signatures {
				name := "signed"
				if !sg.New {
					name = "was signed"
				}
				t.row(name, "%s (%s)", sg.Digest, sg.Format)
			}
			return t.flush()
		},
	}
	s.addCA(cmd)
	passwordFlag(cmd, &s.passwordFile)
	f := cmd.Flags()
	f.StringVar(&s.key, "key", "", "private key `file`, as keygen or cosign write it")
	_ = cmd.MarkFlagRequired("key")
	s.format.add(cmd, "format", "`format` of the signatures")
	f.StringArrayVarP(&s.annotations, "annotation", "a", nil, "signed annotation `KEY=VALUE` (epoch, expires, ref); repeatable")
	f.BoolVarP(&s.Recursive, "recursive", "r", false, "sign every image of an index as well")
	f.StringVar(&s.Identity, "identity", "", "repository `name` to write into the signature, if images are pulled by another one")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (s *signing) sign(cmd *cobra.Command, reference string) ([]oci.Signature, error) {
	ref, err := parseReference(reference)
	if err != nil {
		return nil, err
	}
	s.Formats = s.format.value
	if s.Annotations, err = parseAnnotations(s.annotations); err != nil {
		return nil, wrongCall(cmd, err)
	}
	client, err := s.client()
	if err != nil {
		return nil, err
	}
	pass, err := password(cmd, s.passwordFile, false)
	if err != nil {
		return nil, err
	}
	key, err := oci.LoadPrivate(s.key, pass)
	if err != nil {
		return nil, err
	}
	signatures, err := oci.Sign(cmd.Context(), client, ref, key, s.SignOptions)
	if errors.Is(err, oci.ErrReference) { // the reference was good: it is an option
		return nil, wrongCall(cmd, err)
	}
	return signatures, err
}

func parseAnnotations(pairs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range pairs {
		key, value, ok := strings.Cut(p, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("--annotation: expected KEY=VALUE, got %q", p)
		}
		out[key] = value
	}
	return out, nil
}
