package oci

import (
	"fmt"
	"time"
)

// VerifyOptions are the facts of the machine that Verify needs.
type VerifyOptions struct {
	// Now is the time for expiry; it is used only if ClockTrusted.
	Now time.Time
	// ClockTrusted says that Now is not earlier than the payload's build.
	ClockTrusted bool
	// Epoch is the stored floor; the policy's own floor counts as well.
	Epoch uint64
}

// Signer is a signature that counted.
type Signer struct {
	// KeyID is the SHA-256 of the public key's SPKI in DER, as hex.
	KeyID string `json:"key_id"`
	// Format is FormatTag or FormatBundle.
	Format string `json:"format"`
	// Signed is the digest that was signed: the top manifest or the instance.
	Signed Digest `json:"signed"`
	// Annotations are the signed ones, such as epoch, expires and ref.
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Finding is one signature, or one place to look for them, and its verdict.
type Finding struct {
	// Source says where it was found.
	Source string `json:"source"`
	// Format is FormatTag, FormatBundle or "" for a place.
	Format string `json:"format,omitempty"`
	// KeyID is the key under which the signature is good, "" if none.
	KeyID string `json:"key_id,omitempty"`
	// Signed is the digest it was found for.
	Signed Digest `json:"signed,omitempty"`
	// Counted tells whether the signature counts for the policy.
	Counted bool `json:"counted"`
	// Reason says why it does not count, or what about it was not checked.
	Reason string `json:"reason,omitempty"`

	err error
}

// VerifyError is the error of Policy.Verify, with everything that was looked
// at.
type VerifyError struct {
	Reference Reference
	Digest    Digest
	Findings  []Finding
	err       error
}

// Error returns one line.
func (e *VerifyError) Error() string {
	return fmt.Sprintf("verify: %s: %v", e.Reference, e.err)
}

// Unwrap returns the sentinels.
func (e *VerifyError) Unwrap() error { return e.err }

// Verify checks s against the policy: the only way to a usable Image. All
// requirements of the reference's scope must be met, each by a signature on
// the top manifest or on the instance that the machine will run. A signature
// that is malformed, by another key or for another image is skipped and
// reported; it is never in the way of a good one.
//
// Errors are of type *VerifyError, which wraps ErrPolicy where the policy
// rejects the reference, else ErrUnsigned, ErrBadSignature, ErrIdentity,
// ErrEpoch or ErrExpired: what is missing for the best signature there is.
// Where a place to look for signatures could not be read, its error is wrapped
// too.
func (p *Policy) Verify(s *Signed, o VerifyOptions) (*Image, error) {
	if s == nil || s.top == "" {
		return nil, fmt.Errorf("verify: %w: nothing was fetched", ErrUnsigned)
	}
	v := p.judge(s.ref, s.signatures, o)
	v.findings = append(v.findings, s.problems...)
	if v.err != nil {
		return nil, &VerifyError{s.ref, s.top, v.findings, withProblems(v.err, s.problems)}
	}
	return newImage(s, v), nil
}

// withProblems adds to a verdict's error why places to look for signatures
// could not be read. All are wrapped; the text has the first, because the
// others usually have the same reason.
func withProblems(err error, problems []Finding) error {
	if len(problems) == 0 {
		return err
	}
	u := &unread{err: err, first: fmt.Sprintf("%s: %v", problems[0].Source, problems[0].err), n: len(problems)}
	u.all = append(u.all, err)
	for _, f := range problems {
		u.all = append(u.all, f.err)
	}
	return u
}

// unread is a verdict that might have been another had all places answered.
type unread struct {
	err   error
	first string
	n     int
	all   []error
}

func (u *unread) Error() string {
	return fmt.Sprintf("%v (places for signatures that could not be read: %d, as %s)", u.err, u.n, u.first)
}

func (u *unread) Unwrap() []error { return u.all }
