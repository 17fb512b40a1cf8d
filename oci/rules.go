package oci

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Rule is what a policy asks of the images under one scope. The most specific
// scope that an image has counts alone.
type Rule struct {
	// Scope is the name in policy.json: "" stands for every image or, with
	// Default, for those that no other scope is for.
	Scope   string `json:"scope"`
	Default bool   `json:"default,omitempty"`
	// Requirements must all be met.
	Requirements []Requirement `json:"requirements"`
	// Threshold is how many keys have to sign, if the requirements come down
	// to so many distinct ones out of all of theirs; else 0.
	Threshold int `json:"threshold,omitempty"`
}

// Requirement is one element of a scope's list in policy.json.
type Requirement struct {
	// Type is "sigstoreSigned", "reject" or "insecureAcceptAnything".
	Type string `json:"type"`
	// Keys are the IDs of the keys of which one has to sign.
	Keys []string `json:"keys,omitempty"`
	// Identity says which name the signature must carry; nil if none is
	// needed.
	Identity *Identity `json:"signed_identity,omitempty"`
}

// Identity is a signedIdentity of policy.json.
type Identity struct {
	// Type is one of the six of containers-policy.json(5).
	Type string `json:"type"`
	// Name is the dockerReference or dockerRepository, if Type has one.
	Name string `json:"name,omitempty"`
	// Prefix and SignedPrefix are those of remapIdentity.
	Prefix       string `json:"prefix,omitempty"`
	SignedPrefix string `json:"signed_prefix,omitempty"`
}

// Rules lists what the policy asks for, by scope: names, wildcards, the scope
// for every image, the default.
func (p *Policy) Rules() []Rule {
	var rules []Rule
	for _, scope := range slices.SortedFunc(maps.Keys(p.docker), compareScopes) {
		rules = append(rules, newRule(scope, p.docker[scope]))
	}
	last := newRule("", p.fallback)
	last.Default = true
	return append(rules, last)
}

func compareScopes(a, b string) int {
	class := func(scope string) int {
		switch {
		case scope == "":
			return 2
		case strings.HasPrefix(scope, "*."):
			return 1
		}
		return 0
	}
	return cmp.Or(class(a)-class(b), strings.Compare(a, b))
}

func newRule(scope string, list []requirement) Rule {
	rule := Rule{Scope: scope}
	for _, r := range list {
		out := Requirement{Type: r.kind}
		for _, k := range r.keys {
			out.Keys = append(out.Keys, k.ID())
		}
		if r.kind == typeSigned {
			out.Identity = r.identity.public()
		}
		rule.Requirements = append(rule.Requirements, out)
	}
	rule.Threshold = rule.threshold()
	return rule
}

func (id identity) public() *Identity {
	out := &Identity{Type: id.kind, Prefix: id.prefix, SignedPrefix: id.signedPrefix}
	switch id.kind {
	case exactReference:
		out.Name = Reference(id.exact).String()
	case exactRepository:
		out.Name = Reference(id.exact).Repository()
	}
	return out
}

// Rejects reports whether no image can ever meet the rule.
func (r Rule) Rejects() bool {
	return len(r.Requirements) == 0 || slices.ContainsFunc(r.Requirements, func(q Requirement) bool { return q.Type == typeReject })
}

// signed returns the requirements that a signature has to meet.
func (r Rule) signed() []Requirement {
	return slices.DeleteFunc(slices.Clone(r.Requirements), func(q Requirement) bool { return q.Type != typeSigned })
}

// keys lists the keys of all requirements, each once.
func (r Rule) keys() []string {
	var keys []string
	for _, q := range r.Requirements {
		for _, id := range q.Keys {
			if !slices.Contains(keys, id) {
				keys = append(keys, id)
			}
		}
	}
	return keys
}

// threshold recognises how policy.json spells m of n keys: a requirement for
// each choice of n-m+1 of them, so that whoever lacks n-m+1 keys fails one. The
// parser lets no requirement stand twice, so it is enough to count them.
func (r Rule) threshold() int {
	list := r.signed()
	if r.Rejects() || len(list) == 0 {
		return 0
	}
	all, each := len(r.keys()), len(list[0].Keys)
	for _, q := range list {
		if len(q.Keys) != each || *q.Identity != *list[0].Identity {
			return 0
		}
	}
	if len(list) != choices(all, each) {
		return 0
	}
	return all - each + 1
}

// choices is how many ways there are to take k of n, or more than
// maxRequirements.
func choices(n, k int) int {
	k = min(k, n-k)
	ways := 1
	for i := 0; i < k && ways <= maxRequirements; i++ {
		ways = ways * (n - i) / (i + 1)
	}
	return ways
}
