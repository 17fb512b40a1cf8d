package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/oci"
)

// clientFlags are how to reach a registry.
type clientFlags struct {
	ca      string
	mirrors []string
	arch    string
}

// addCA is for commands that talk to the named registry only.
func (f *clientFlags) addCA(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.ca, "ca", "", "PEM `file` with the CAs to trust, in place of the system's")
}

// add is for commands that fetch images as the loader does.
func (f *clientFlags) add(cmd *cobra.Command) {
	f.addCA(cmd)
	cmd.Flags().StringArrayVar(&f.mirrors, "mirror", nil, "connect to LOCATION for references below PREFIX, as `PREFIX=LOCATION`; repeatable")
	cmd.Flags().StringVar(&f.arch, "arch", "", "`architecture` in Go's spelling (default: this machine's)")
}

// client makes the registry client.
func (f *clientFlags) client() (*oci.Client, error) {
	c := &oci.Client{Arch: f.arch}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		c.Roots = x509.NewCertPool()
		if !c.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca: %s: expected certificates in PEM, found none", f.ca)
		}
	}
	for _, text := range f.mirrors {
		prefix, location, ok := strings.Cut(text, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("--mirror: expected PREFIX=LOCATION, got %q", text)}
		}
		m := oci.Mirror{Prefix: prefix, Location: location}
		if err := m.Validate(); err != nil {
			return nil, usageError{hinted{fmt.Errorf("--mirror: %w", err), "write it as registry.example=mirror.example:5000/path"}}
		}
		c.Mirrors = append(c.Mirrors, m)
	}
	return c, nil
}

// parseReference makes a bad reference a usage error: the call was wrong.
func parseReference(s string) (oci.Reference, error) {
	ref, err := oci.ParseReference(s)
	if err != nil {
		return ref, usageError{err}
	}
	return ref, nil
}

func policyFlag(cmd *cobra.Command, policy *string) {
	cmd.Flags().StringVar(policy, "policy", "", "policy.json `file`; boot-policy.toml is read from beside it")
	_ = cmd.MarkFlagRequired("policy")
}

func loadPolicy(file string) (*oci.Policy, error) {
	p, err := oci.LoadPolicy(file)
	return p, inFile(err)
}
