package oci

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verdict is what a policy says about a reference and its signatures.
type verdict struct {
	signers  []Signer
	findings []Finding
	err      error // nil if every requirement is met
}

// opened is a signature with what came out of it.
type opened struct {
	signature
	key   *PublicKey // nil if no key of the policy made it
	claim claim
	err   error // why it cannot count for any requirement
	notes []string
	uses  int     // requirements it met
	worst []error // why it did not meet the others
}

// judge weighs the signatures: crypto first, then content, then the policy's
// floors, then each requirement.
func (p *Policy) judge(ref Reference, sigs []signature, o VerifyOptions) verdict {
	scope, list := p.requirements(ref)
	if len(list) == 0 {
		return verdict{err: fmt.Errorf("%w: empty, it rejects everything", ErrPolicy)}
	}
	keys := allKeys(list)
	all := make([]opened, 0, len(sigs))
	for _, s := range sigs {
		op := opened{signature: s}
		op.key, op.claim, op.err = s.open(keys)
		if op.err == nil {
			op.notes = op.claim.notes
			op.err = p.checkFloors(&op, o)
		}
		all = append(all, op)
	}
	var v verdict
	for i, r := range list {
		if err := p.meet(r, ref, all); err != nil && v.err == nil {
			v.err = fmt.Errorf("%s, requirement %d of %d: %w", scope, i+1, len(list), err)
		}
		if r.kind == typeInsecure {
			v.findings = append(v.findings, Finding{Source: scope, Reason: noteUnsigned})
		}
	}
	for _, op := range all {
		f := op.finding()
		v.findings = append(v.findings, f)
		if f.Counted {
			v.signers = append(v.signers, Signer{f.KeyID, op.format, op.signed, op.claim.annotations})
		}
	}
	return v
}

// allKeys lists the keys of all requirements, each once.
func allKeys(list []requirement) []*PublicKey {
	var keys []*PublicKey
	for _, r := range list {
		for _, k := range r.keys {
			if !containsKey(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func containsKey(keys []*PublicKey, key *PublicKey) bool {
	return slices.ContainsFunc(keys, func(k *PublicKey) bool { return k.id == key.id })
}

// meet returns nil if a signature meets r, else the error of the one that
// comes nearest.
func (p *Policy) meet(r requirement, ref Reference, all []opened) error {
	switch r.kind {
	case typeInsecure:
		return nil
	case typeReject:
		return fmt.Errorf("%w: the policy rejects it", ErrPolicy)
	}
	var nearest error
	met := false
	for i := range all {
		err := p.meetWith(r, ref, &all[i])
		if err == nil {
			all[i].uses++
			met = true
			continue
		}
		all[i].worst = append(all[i].worst, err)
		if nearest == nil || nearness(err) > nearness(nearest) {
			nearest = err
		}
	}
	switch {
	case met:
		return nil
	case nearest == nil:
		return fmt.Errorf("%w: no signature was found", ErrUnsigned)
	}
	return nearest
}

// nearness ranks errors by how much of a signature was in order.
func nearness(err error) int {
	for i, e := range []error{ErrBadSignature, ErrIdentity, ErrEpoch, ErrExpired} {
		if errors.Is(err, e) {
			return i
		}
	}
	return -1
}

func (p *Policy) meetWith(r requirement, ref Reference, op *opened) error {
	if op.err != nil {
		return op.err
	}
	if !containsKey(r.keys, op.key) {
		return fmt.Errorf("%w: made by key %s, which this requirement does not name", ErrBadSignature, op.key.id)
	}
	return p.checkName(r.identity, ref, op)
}

// checkName checks that the signature is for the image's logical name.
func (p *Policy) checkName(id identity, ref Reference, op *opened) error {
	if op.format == FormatBundle && op.claim.name == "" {
		if p.boot.BundleIdentity != IdentityWaived {
			return fmt.Errorf("%w: the bundle names no image: sign with the annotation ref, or waive bundle-identity in %s",
				ErrIdentity, BootPolicyFile)
		}
	} else if err := id.match(ref, op.claim.name); err != nil {
		return err
	}
	if p.boot.Ref != RuleRequired {
		return nil
	}
	return checkRef(id, ref, op.claim.annotations)
}

// checkRef checks the signed annotation ref, which says what was signed as
// which tag.
func checkRef(id identity, ref Reference, notes map[string]string) error {
	text, ok := notes[annotationRef]
	if !ok {
		return fmt.Errorf("%w: the policy requires the signed annotation ref", ErrIdentity)
	}
	want, err := id.intended(ref)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	if id.kind == exactRepository {
		want.tag = ref.tag
	}
	got, err := parseSigned(text)
	if err != nil || !sameRepository(want, got) || want.tag != "" && want.tag != got.tag {
		return fmt.Errorf("%w: expected %s, signed as %s", ErrIdentity, Reference(want), clip(text))
	}
	return nil
}

// checkFloors checks the signed annotations epoch and expires.
func (p *Policy) checkFloors(op *opened, o VerifyOptions) error {
	floor := max(p.boot.Epoch, o.Epoch)
	text, ok := op.claim.annotations[annotationEpoch]
	if !ok && floor > 0 {
		return fmt.Errorf("%w: expected at least %d, the signature has none", ErrEpoch, floor)
	}
	if ok {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: expected a number, got %q", ErrEpoch, clip(text))
		}
		if n < floor {
			return fmt.Errorf("%w: expected at least %d, got %d", ErrEpoch, floor, n)
		}
	}
	return p.checkExpires(op, o)
}

func (p *Policy) checkExpires(op *opened, o VerifyOptions) error {
	text, ok := op.claim.annotations[annotationExpires]
	if !ok {
		if p.boot.Expires == RuleRequired {
			return fmt.Errorf("%w: the policy requires the signed annotation expires", ErrExpired)
		}
		return nil
	}
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("%w: expected a time like 2027-01-01T00:00:00Z, got %q", ErrExpired, clip(text))
	}
	if !o.ClockTrusted {
		op.notes = append(op.notes, noteExpiry)
		return nil
	}
	if !o.Now.Before(end) {
		return fmt.Errorf("%w: at %s, it is %s", ErrExpired, text, o.Now.UTC().Format(time.RFC3339))
	}
	return nil
}

// finding reports what became of the signature.
func (op *opened) finding() Finding {
	f := Finding{Source: op.source, Format: op.format, Signed: op.signed, Counted: op.uses > 0}
	if op.key != nil {
		f.KeyID = op.key.id
	}
	switch {
	case f.Counted:
		f.Reason = strings.Join(op.notes, "; ")
	case len(op.worst) > 0:
		f.err = slices.MaxFunc(op.worst, func(a, b error) int { return nearness(a) - nearness(b) })
		f.Reason = f.err.Error()
	default:
		f.Reason = "no requirement asks for a signature"
	}
	return f
}
