package oci

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Name is what people call the rule's scope.
func (r Rule) Name() string {
	switch {
	case r.Default:
		return "everything else"
	case r.Scope == "":
		return "every image"
	}
	return r.Scope
}

// Covers says in words which images the rule is for.
func (r Rule) Covers() string {
	switch n, err := splitName(r.Scope); {
	case r.Default:
		return "images that no other scope is for"
	case r.Scope == "":
		return "images of every registry"
	case strings.HasPrefix(r.Scope, "*."):
		return "images of every registry whose name ends in " + r.Scope[1:]
	case !strings.Contains(r.Scope, "/"):
		return "images of this registry"
	case err == nil && n.digest != "":
		return "the image asked for by this digest"
	case err == nil && n.tag != "":
		return "the image asked for by this tag"
	}
	return "images of this repository and those below it"
}

// Explain says in words what the rule asks for, in lines of which those that
// go on with the one above begin with spaces.
func (r Rule) Explain() []string {
	list := r.signed()
	switch {
	case r.Rejects():
		return []string{"rejected, whoever signed"}
	case len(list) == 0:
		return []string{"ACCEPTED WITHOUT A SIGNATURE (" + typeInsecure + ")"}
	case r.Threshold > 0:
		lines := []string{signedBy(r.Threshold, len(r.keys()))}
		lines = append(lines, indent(r.keys())...)
		return append(lines, list[0].Identity.Explain())
	}
	lines := []string{fmt.Sprintf("all of these %d requirements:", len(list))}
	for i, q := range list {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, signedBy(1, len(q.Keys))))
		lines = append(lines, indent(q.Keys)...)
		lines = append(lines, indent([]string{q.Identity.Explain()})...)
	}
	for _, id := range r.keys() {
		if !slices.ContainsFunc(list, func(q Requirement) bool { return !slices.Contains(q.Keys, id) }) {
			lines = append(lines, "one key alone can meet all of them:", "   "+id)
		}
	}
	return lines
}

// indent makes lines go on with the one above.
func indent(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, "   "+l)
	}
	return out
}

func signedBy(need, of int) string {
	switch {
	case of == 1:
		return "signed by this key:"
	case need == 1:
		return fmt.Sprintf("signed by any one of these %d keys:", of)
	case need == of:
		return fmt.Sprintf("signed by all of these %d keys:", of)
	}
	return fmt.Sprintf("signed by at least %d of these %d keys:", need, of)
}

// Explain says in words which name a signature must carry.
func (id *Identity) Explain() string {
	var name string
	switch id.Type {
	case matchExact:
		name = "the reference asked for, with its tag or digest"
	case matchRepoDigestOrExact:
		name = "the reference asked for, with its tag; if asked for by digest, the repository with any tag"
	case matchRepository:
		name = "the repository asked for, with any tag or none"
	case exactReference:
		name = id.Name + ", whatever was asked for"
	case exactRepository:
		name = id.Name + " with any tag or none, whatever was asked for"
	case remapIdentity:
		name = fmt.Sprintf("the reference asked for, with %s in place of %s in front", id.SignedPrefix, id.Prefix)
	}
	return fmt.Sprintf("for the name: %s (%s)", name, id.Type)
}

// Setting is a key of boot-policy.toml with its value and what that means.
type Setting struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Meaning string `json:"meaning"`
}

// Explain says in words what boot-policy.toml means, defaults included.
func (b BootPolicy) Explain() []Setting {
	epoch := "no floor: an old image that was signed once is accepted for ever"
	if b.Epoch > 0 {
		epoch = fmt.Sprintf("a signature counts only with a signed epoch of %d or more", b.Epoch)
	}
	list := []Setting{
		{"schema", strconv.Itoa(b.Schema), "the form of this file"},
		{"epoch", strconv.FormatUint(b.Epoch, 10), epoch},
		{"expires", b.Expires, either(b.Expires == RuleRequired, "a signature without a signed expiry does not count", "a signed expiry is honoured where there is one")},
		{"ref", b.Ref, either(b.Ref == RuleRequired, "the signed ref must be the reference asked for, with its tag", "one tag may be served as another, where the name above leaves the tag open")},
		{"bundle-identity", b.BundleIdentity, either(b.BundleIdentity == IdentityWaived, "A BUNDLE WITHOUT A SIGNED REF COUNTS FOR ANY NAME in its scope", "a bundle counts only with a signed ref, which is its name")},
	}
	return append(list, b.Allow.explain()...)
}

func (a Allow) explain() []Setting {
	kargs := Setting{"allow.kargs", "none", "the configuration adds no kernel argument"}
	if len(a.Kargs) > 0 {
		kargs.Value, kargs.Meaning = strings.Join(a.Kargs, ", "), "the configuration may add kernel arguments that match"
	}
	list := []Setting{kargs, {"allow.unsigned", strconv.FormatBool(a.Unsigned), either(a.Unsigned, "policy.json may accept images without a signature; every boot says so", "every image needs a signature")}}
	for _, x := range []struct {
		key     string
		on      bool
		meaning string
	}{
		{"containers", a.Containers, "container pipelines from configuration"},
		{"wipe", a.Wipe, "erasing disks"},
		{"insecure-registry", a.InsecureRegistry, "registries without a verified certificate"},
		{"unsigned-extra-args", a.UnsignedExtraArgs, "arguments from outside the signed image"},
		{"rescue", a.Rescue, "a rescue shell"},
	} {
		list = append(list, Setting{"allow." + x.key, strconv.FormatBool(x.on), "reserved, changes nothing yet: " + x.meaning})
	}
	return list
}

func either(which bool, yes, no string) string {
	if which {
		return yes
	}
	return no
}
