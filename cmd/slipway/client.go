package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/oci"
)

// clientFlags are how to reach a registry, the same for every command that
// does.
type clientFlags struct {
	ca      string
	mirrors []string
	arch    string
}

func (f *clientFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.ca, "ca", "", "PEM `file` with the CAs to trust, in place of the system's")
	cmd.Flags().StringArrayVar(&f.mirrors, "mirror", nil, "connect to LOCATION for references below PREFIX, as `PREFIX=LOCATION`; repeatable")
	cmd.Flags().StringVar(&f.arch, "arch", "", "architecture in Go's spelling (default: this machine's)")
}

// client makes the registry client. Progress goes to a terminal only.
func (f *clientFlags) client() (*oci.Client, error) {
	c := &oci.Client{Arch: f.arch}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, err
		}
		c.Roots = x509.NewCertPool()
		if !c.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: expected certificates in PEM, found none", f.ca)
		}
	}
	for _, m := range f.mirrors {
		prefix, location, ok := strings.Cut(m, "=")
		if !ok || prefix == "" || location == "" {
			return nil, usageError{fmt.Errorf("--mirror: expected PREFIX=LOCATION, got %q", m)}
		}
		c.Mirrors = append(c.Mirrors, oci.Mirror{Prefix: prefix, Location: location})
	}
	return c, nil
}

// showProgress draws c's transfers on standard error if that is a terminal.
// The returned function clears the line.
func showProgress(c *oci.Client, n int, name string) func() {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return func() {}
	}
	step := bootlog.New(bootlog.Output{W: os.Stderr, Bar: true}).Step(n, name)
	c.Progress = func(p oci.Progress) { step.Progress(p.What, p.Done, p.Total) }
	return func() { fmt.Fprint(os.Stderr, "\r\x1b[K") }
}

func jsonFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "json", false, "print JSON")
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// parseReference makes a bad reference a usage error: the call was wrong.
func parseReference(s string) (oci.Reference, error) {
	ref, err := oci.ParseReference(s)
	if err != nil {
		return ref, usageError{err}
	}
	return ref, nil
}
