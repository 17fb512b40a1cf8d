package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/slipway-boot/slipway/oci"
)

// passwordVars are read in this order; the second is cosign's.
var passwordVars = []string{"SLIPWAY_PASSWORD", "COSIGN_PASSWORD"}

func passwordFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "password-file", "", "read the private key's password from the first line of `file` (else $SLIPWAY_PASSWORD, $COSIGN_PASSWORD, or the terminal)")
}

// password finds the private key's password; twice asks for it again, for a
// new key.
func password(file string, twice bool) ([]byte, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		line, _, _ := bytes.Cut(data, []byte("\n"))
		return bytes.TrimSuffix(line, []byte("\r")), nil
	}
	for _, name := range passwordVars {
		if value, ok := os.LookupEnv(name); ok {
			return []byte(value), nil
		}
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, usageError{hinted{errors.New("password: no terminal to ask on"), "use --password-file or set $SLIPWAY_PASSWORD"}}
	}
	first, err := ask("Password for the private key: ")
	if err != nil || !twice {
		return first, err
	}
	second, err := ask("The same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("password: the two are not the same")
	}
	return first, nil
}

func ask(prompt string) ([]byte, error) {
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	return term.ReadPassword(int(os.Stdin.Fd()))
}

func keygenCommand() *cobra.Command {
	var prefix, passwordFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a signing key pair",
		Long:  "keygen makes an ECDSA P-256 key pair in cosign's file format: PREFIX.key, which\nis encrypted and for the signer alone, and PREFIX.pub, which goes into policies.\nFiles that exist are never overwritten.",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			pass, err := password(passwordFile, true)
			if err != nil {
				return err
			}
			key, err := oci.GenerateKey()
			if err != nil {
				return err
			}
			if err := oci.WriteKeyPair(prefix, key, pass); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, map[string]string{"private": prefix + ".key", "public": prefix + ".pub", "key_id": key.Public().ID()})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "private key %s.key (keep it secret)\npublic key  %s.pub (goes into policy.json)\nkey id      %s\n", prefix, prefix, key.Public().ID())
			return nil
		},
	}
	cmd.Flags().StringVarP(&prefix, "output", "o", "slipway", "`prefix` of the two files")
	passwordFlag(cmd, &passwordFile)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func signCommand() *cobra.Command {
	var (
		flags                 clientFlags
		keyFile, passwordFile string
		annotations           []string
		o                     oci.SignOptions
		asJSON                bool
	)
	cmd := &cobra.Command{
		Use:   "sign REFERENCE --key FILE",
		Short: "Sign an image in its registry",
		Long:  "sign signs what the reference stands for at this moment and pushes the\nsignatures beside it, in both of cosign's formats: the .sig tag that podman and\nbootc read, and the bundle that cosign 3 writes.",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := parseReference(args[0])
			if err != nil {
				return err
			}
			if o.Annotations, err = parseAnnotations(annotations); err != nil {
				return err
			}
			client, err := flags.client()
			if err != nil {
				return err
			}
			pass, err := password(passwordFile, false)
			if err != nil {
				return err
			}
			key, err := oci.LoadPrivate(keyFile, pass)
			if err != nil {
				return err
			}
			signatures, err := oci.Sign(cmd.Context(), client, ref, key, o)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, signatures)
			}
			for _, s := range signatures {
				fmt.Fprintf(cmd.OutOrStdout(), "signed %s (%s) with key %.12s\n", s.Digest, s.Format, s.KeyID)
			}
			return nil
		},
	}
	flags.add(cmd)
	passwordFlag(cmd, &passwordFile)
	cmd.Flags().StringVar(&keyFile, "key", "", "private key `file`, as keygen or cosign write it")
	_ = cmd.MarkFlagRequired("key")
	cmd.Flags().StringVar(&o.Formats, "format", "both", "tag, bundle or both")
	cmd.Flags().StringArrayVarP(&annotations, "annotation", "a", nil, "signed annotation `KEY=VALUE` (epoch, expires, ref); repeatable")
	cmd.Flags().BoolVarP(&o.Recursive, "recursive", "r", false, "sign every image of an index as well")
	cmd.Flags().StringVar(&o.Identity, "identity", "", "repository `name` to write into the signature, if images are pulled by another one")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func parseAnnotations(pairs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range pairs {
		key, value, ok := strings.Cut(p, "=")
		if !ok || key == "" {
			return nil, usageError{fmt.Errorf("--annotation: expected KEY=VALUE, got %q", p)}
		}
		out[key] = value
	}
	return out, nil
}
