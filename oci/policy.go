package oci

import "errors"

// Policy says which signatures an image needs. It comes from LoadPolicy or
// ParsePolicy; the zero value rejects everything.
type Policy struct {
	boot BootPolicy
}

// LoadPolicy reads policyFile, the keys it names relative to its directory,
// and boot-policy.toml beside it, which may be missing.
func LoadPolicy(policyFile string) (*Policy, error) {
	return nil, errors.New("policy: not built yet")
}

// ParsePolicy reads the two files from memory. A nil bootPolicyTOML means all
// defaults; readKey gets the keyPath values as they stand.
func ParsePolicy(policyJSON, bootPolicyTOML []byte, readKey func(path string) ([]byte, error)) (*Policy, error) {
	return nil, errors.New("policy: not built yet")
}

// Boot returns what boot-policy.toml says.
func (p *Policy) Boot() BootPolicy { return p.boot }

// Files returns the policy in its self-contained form, keys inline: what goes
// into a payload.
func (p *Policy) Files() (policyJSON, bootPolicyTOML []byte, err error) {
	return nil, nil, errors.New("policy: not built yet")
}

// Hash returns the SHA-256 of the normalised policy as hex, the same for the
// operator's files and for the payload's.
func (p *Policy) Hash() string { return "" }
