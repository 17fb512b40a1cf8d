package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

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
	k := newKey{Private: prefix + oci.PrivateKeySuffix, Public: prefix + oci.PublicKeySuffix}
	for _, file := range []string{k.Private, k.Public} { // before a password is asked for
		if _, err := os.Lstat(file); err == nil {
			return newKey{}, hinted{fmt.Errorf("keygen: %s: %w", file, fs.ErrExist), "keys are never overwritten: name others with --output PREFIX"}
		}
	}
	pass, err := password(cmd, passwordFile, true)
	if err != nil {
		return newKey{}, err
	}
	key, err := oci.GenerateKey()
	if err != nil {
		return newKey{}, err
	}
	k.KeyID = key.Public().ID()
	return k, oci.WriteKeyPair(prefix, key, pass)
}
