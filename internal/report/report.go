// Package report is the shape of boot.json: what the loader did and why,
// handed over to the booted system at /run/slipway/boot.json.
package report

import (
	"encoding/json"
	"fmt"
)

// Schema is the version of the report's shape. It changes when a field
// changes its meaning or goes away, not when one is added.
const Schema = 1

// Report is what the loader did. Fields that are not known are left out.
type Report struct {
	Schema        int         `json:"schema"`
	Version       string      `json:"version"`                  // slipway version in the payload
	Demo          bool        `json:"demo,omitempty"`           // the payload was built with throw-away keys
	Reference     string      `json:"reference"`                // as configured
	Digest        string      `json:"digest,omitempty"`         // of the manifest the reference named
	Instance      string      `json:"instance,omitempty"`       // of the platform's manifest, if Digest is an index
	Signers       []Signer    `json:"signers,omitempty"`        // the signatures the policy counted
	Policy        string      `json:"policy_sha256,omitempty"`  // hash of the policy in the payload
	Config        []Value     `json:"config,omitempty"`         // every configured value and where it came from
	Steps         []Step      `json:"steps,omitempty"`          // timings
	Fetched       int64       `json:"bytes_fetched,omitempty"`  // over the network, all steps
	PeakMemory    int64       `json:"peak_memory,omitempty"`    // bytes in use at most, of the whole machine
	LoaderRSS     int64       `json:"loader_rss,omitempty"`     // peak resident set of the loader, bytes
	PayloadKernel string      `json:"payload_kernel,omitempty"` // release of the kernel the loader ran on
	KernelRelease string      `json:"kernel_release,omitempty"` // release of the image's kernel
	Root          string      `json:"root,omitempty"`           // direct or initrd
	RootSize      int64       `json:"root_size,omitempty"`      // bytes of the root file system image
	RootSHA256    string      `json:"root_sha256,omitempty"`    // of the root file system image as handed over
	Cmdline       string      `json:"cmdline,omitempty"`        // of the image's kernel
	Args          []Value     `json:"cmdline_args,omitempty"`   // the same, each with its origin
	Firmware      string      `json:"firmware,omitempty"`       // uefi or bios
	SecureBoot    bool        `json:"secure_boot"`
	Candidates    []Candidate `json:"candidates,omitempty"` // references tried before, with their errors
}

// Signer is one signature that counted.
type Signer struct {
	KeyID  string `json:"key_id"` // SHA-256 of the public key's SPKI, hex
	Format string `json:"format"` // tag or bundle
	Signed string `json:"signed"` // the digest it signs
}

// Value is a configured value or a kernel argument with its origin.
type Value struct {
	Key    string `json:"key,omitempty"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Step is one finished step.
type Step struct {
	N       int     `json:"n"`
	Name    string  `json:"name"`
	What    string  `json:"what"`
	Seconds float64 `json:"seconds"`
}

// Candidate is a reference that was tried and failed.
type Candidate struct {
	Reference string `json:"reference"`
	Step      string `json:"step"`
	Error     string `json:"error"`
}

// Marshal returns the report as indented JSON with a final newline.
func (r Report) Marshal() ([]byte, error) {
	r.Schema = Schema
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return append(data, '\n'), nil
}

// Parse reads a report; it refuses one of another schema.
func Parse(data []byte) (Report, error) {
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return Report{}, fmt.Errorf("report: %w", err)
	}
	if r.Schema != Schema {
		return Report{}, fmt.Errorf("report: schema: expected %d, got %d", Schema, r.Schema)
	}
	return r, nil
}
