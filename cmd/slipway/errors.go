package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload"
	"github.com/slipway-boot/slipway/payload/image"
)

// usageError is a call that cannot mean anything, unlike one that failed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// wrongCall makes err a usage error of cmd.
func wrongCall(cmd *cobra.Command, err error) error {
	return usageError{hinted{err, "see " + cmd.CommandPath() + " --help"}}
}

// hinted is an error that knows what to do next.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// explain prints err and what to do about it, and returns the exit code.
func explain(ctx context.Context, w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	log := bootlog.New(bootlog.Output{W: w}) // it keeps control characters from outside off the terminal
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		log.Printf("error: interrupted")
		return exitFailed
	}
	log.Printf("error: %v", err)
	if hint := hintFor(err); hint != "" {
		log.Printf("hint: %s", hint)
	}
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

// tip is what to do about an error.
type tip struct {
	err  error
	hint string
}

// networkTips stand in for the loader's hints where an operator has other
// means than a machine that boots.
var networkTips = []tip{
	{oci.ErrClock, "check this machine's clock, and the dates of the registry's certificate"},
	{oci.ErrCertificate, "name the CA that issued the registry's certificate with --ca, or correct the registry's name"},
}

// fileTips are for the files that payloads are built from.
var fileTips = []tip{
	{image.ErrPrivateKey, "private keys stay with the signer: take them out of this file"},
	{oci.ErrKey, "policies name public keys: the .pub file that slipway keygen writes"},
	{image.ErrPolicy, policyTip},
	{oci.ErrPolicy, policyTip},
}

const policyTip = "correct the policy at the place named; docs/man/boot-policy.toml.5.md says what it may hold"

// inFile adds a hint to the error of a file that the operator wrote.
func inFile(err error) error {
	if hint := find(fileTips, err); hint != "" {
		return hinted{err, hint}
	}
	return err
}

// hintFor returns what to do about err, or "".
func hintFor(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	if hint := find(networkTips, err); hint != "" {
		return hint
	}
	return payload.Hint(err)
}

// find returns the hint of the first tip that fits err.
func find(tips []tip, err error) string {
	for _, t := range tips {
		if errors.Is(err, t.err) {
			return t.hint
		}
	}
	return ""
}
