package main

import (
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/oci"
)

// newKey is keygen's answer.
type newKey struct {
	Private string `json:"private"`
	Public  string `json:"public"`
	KeyID   string `json:"key_id"`
}

func keygenCommand() *cobra.Command {
	var prefix, passwordFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a signing key pair",
		Long:  "keygen makes an ECDSA P-256 key pair in cosign's file format: PREFIX.key, which\nis encrypted and for the signer alone, and PREFIX.pub, which goes into policies.\nFiles that exist are never overwritten.",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if prefix == "" {
				return wrongCall(cmd, errors.New("--output: expected a prefix, got none"))
			}
			key, err := keygen(cmd, prefix, passwordFile)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, key)
			}
			t := newTable(cmd.OutOrStdout())
			t.row("private key", "%s (keep it secret)", key.Private)
			t.row("public key", "%s (goes into policy.json)", key.Public)
			t.row("key id", "%s", key.KeyID)
			return t.flush()
		},
	}
	cmd.Flags().StringVarP(&prefix, "output", "o", "slipway", "`prefix` of the two files")
	passwordFlag(cmd, &passwordFile)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func keygen(cmd *cobra.Command, prefix, passwordFile string) (newKey, error) {
	pass, err := password(cmd, passwordFile, true)
	if err != nil {
		return newKey{}, err
	}
	key, err := oci.GenerateKey()
	if err != nil {
		return newKey{}, err
	}
	err = oci.WriteKeyPair(prefix, key, pass)
	if errors.Is(err, fs.ErrExist) {
		err = hinted{err, "keys are never overwritten: name others with --output PREFIX"}
	}
	return newKey{prefix + oci.PrivateKeySuffix, prefix + oci.PublicKeySuffix, key.Public().ID()}, err
}
