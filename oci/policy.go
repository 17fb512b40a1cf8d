package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// BootPolicyFile is the name of the second policy file, beside policy.json.
const BootPolicyFile = "boot-policy.toml"

// Ceilings of a policy.
const (
	maxPolicyFile   = 1 << 20
	maxScopes       = 256
	maxRequirements = 64 // of one scope
	maxKeys         = 32 // of one requirement
)

// The types of a requirement that are known here.
const (
	typeReject   = "reject"
	typeInsecure = "insecureAcceptAnything"
	typeSigned   = "sigstoreSigned"
)

// Policy says which signatures an image needs. It comes from LoadPolicy or
// ParsePolicy; the zero value rejects everything.
type Policy struct {
	fallback []requirement            // "default" of policy.json
	docker   map[string][]requirement // by scope
	boot     BootPolicy
	bootTOML []byte
}

// requirement is one element of a scope's list, all of which must be met.
type requirement struct {
	kind     string
	keys     []*PublicKey // any of them
	identity identity
}

// LoadPolicy reads policyFile, the keys it names relative to its directory,
// and boot-policy.toml beside it, which may be missing. Errors wrap ErrPolicy
// or say why a file cannot be read.
func LoadPolicy(policyFile string) (*Policy, error) {
	dir := filepath.Dir(policyFile)
	policy, err := readSmall(policyFile, maxPolicyFile)
	if err != nil {
		return nil, fmt.Errorf("load policy: %w", err)
	}
	boot, err := readSmall(filepath.Join(dir, BootPolicyFile), maxPolicyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("load policy: %w", err)
	}
	p, err := ParsePolicy(policy, boot, func(path string) ([]byte, error) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return readSmall(path, maxKeyFile)
	})
	if err != nil {
		return nil, fmt.Errorf("load policy: %s: %w", policyFile, err)
	}
	return p, nil
}

// ParsePolicy reads the two files from memory. A nil bootPolicyTOML means all
// defaults; readKey gets the keyPath values as they stand, and may be nil
// where all keys are inline. Errors wrap ErrPolicy and say line and key.
func ParsePolicy(policyJSON, bootPolicyTOML []byte, readKey func(path string) ([]byte, error)) (*Policy, error) {
	boot, err := parseBootPolicy(bootPolicyTOML)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPolicy, BootPolicyFile, err)
	}
	p := &Policy{boot: boot, bootTOML: slices.Clone(bootPolicyTOML)}
	if err := p.parseJSON(policyJSON, readKey); err != nil {
		return nil, fmt.Errorf("%w: policy.json: %w", ErrPolicy, err)
	}
	return p, nil
}

// Boot returns what boot-policy.toml says, defaults filled in.
func (p *Policy) Boot() BootPolicy {
	b := p.boot
	b.Allow.Kargs = slices.Clone(b.Allow.Kargs)
	return b
}

// Files returns the policy in its self-contained form, keys inline: what goes
// into a payload. The zero Policy is an error.
func (p *Policy) Files() (policyJSON, bootPolicyTOML []byte, err error) {
	if len(p.fallback) == 0 {
		return nil, nil, fmt.Errorf("%w: empty", ErrPolicy)
	}
	policyJSON, err = json.MarshalIndent(p.file(), "", "  ")
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if bootPolicyTOML = slices.Clone(p.bootTOML); bootPolicyTOML == nil {
		bootPolicyTOML = fmt.Appendf(nil, "schema = %d\n", BootPolicySchema)
	}
	return append(policyJSON, '\n'), bootPolicyTOML, nil
}

// Hash returns the SHA-256 of the normalised policy as hex, the same for the
// operator's files and for the payload's.
func (p *Policy) Hash() string {
	normal := struct {
		Default []normalRequirement
		Docker  map[string][]normalRequirement
		Boot    BootPolicy
	}{normalise(p.fallback), map[string][]normalRequirement{}, p.Boot()}
	for scope, list := range p.docker {
		normal.Docker[scope] = normalise(list)
	}
	slices.Sort(normal.Boot.Allow.Kargs)
	text, err := json.Marshal(normal)
	if err != nil {
		return "" // not reachable: the types hold nothing that cannot be marshalled
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// normalRequirement is what of a requirement has a meaning.
type normalRequirement struct {
	Kind     string
	Keys     []string
	Identity *identityFile
}

func normalise(list []requirement) []normalRequirement {
	out := make([]normalRequirement, 0, len(list))
	for _, r := range list {
		n := normalRequirement{Kind: r.kind}
		for _, k := range r.keys {
			n.Keys = append(n.Keys, k.ID())
		}
		slices.Sort(n.Keys)
		if r.kind == typeSigned {
			n.Identity = r.identity.file()
		}
		out = append(out, n)
	}
	return out
}

// requirements returns the list that holds for ref and the scope it stands
// under, looked up as containers-policy.json(5) says: the full name, the
// repository, its parents, the host, wildcards of the host, the transport's
// default, the default.
func (p *Policy) requirements(ref Reference) (scope string, list []requirement) {
	for _, scope := range scopesOf(ref) {
		if list, ok := p.docker[scope]; ok {
			return fmt.Sprintf("scope %q", scope), list
		}
	}
	return "default", p.fallback
}

// scopesOf lists the scopes that apply to ref, the most specific first. Of a
// reference with tag and digest, the digest comes first.
func scopesOf(ref Reference) []string {
	var scopes []string
	repository := ref.Repository()
	if ref.digest != "" {
		scopes = append(scopes, repository+"@"+string(ref.digest))
	}
	if ref.tag != "" {
		scopes = append(scopes, repository+":"+ref.tag)
	}
	for at := len(repository); at >= 0; at = strings.LastIndexByte(repository[:at], '/') {
		scopes = append(scopes, repository[:at])
	}
	domain := ref.host
	if i := strings.LastIndexByte(domain, ':'); i > strings.LastIndexByte(domain, ']') {
		domain = domain[:i]
	}
	for {
		_, parent, ok := strings.Cut(domain, ".")
		if !ok {
			break
		}
		scopes = append(scopes, "*."+parent)
		domain = parent
	}
	return append(scopes, "")
}
