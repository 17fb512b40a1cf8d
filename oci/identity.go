package oci

import (
	"fmt"
	"strings"
)

// The six ways of containers-policy.json(5) to compare the name in a
// signature with the name of the image.
const (
	matchExact             = "matchExact"
	matchRepoDigestOrExact = "matchRepoDigestOrExact"
	matchRepository        = "matchRepository"
	exactReference         = "exactReference"
	exactRepository        = "exactRepository"
	remapIdentity          = "remapIdentity"
)

// identity is a signedIdentity of policy.json.
type identity struct {
	kind string
	// exact is the name of exactReference and exactRepository.
	exact name
	// prefix and signedPrefix are those of remapIdentity.
	prefix, signedPrefix string
}

// match checks that a signature naming signed is for the image ref. Errors
// wrap ErrIdentity.
func (id identity) match(ref Reference, signed string) error {
	got, err := parseSigned(signed)
	if err != nil {
		return fmt.Errorf("%w: the signature names %q: %w", ErrIdentity, clip(signed), err)
	}
	want, err := id.intended(ref)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	var ok bool
	switch id.kind {
	case exactReference:
		ok = want == got
	case matchExact:
		ok = sameReference(want, got)
	case matchRepository, exactRepository:
		ok = sameRepository(want, got)
	case matchRepoDigestOrExact, remapIdentity:
		if want.tag == "" { // the digest itself is checked against the content
			ok = sameRepository(want, got) && (got.tag != "" || got.digest != "")
		} else {
			ok = sameReference(want, got)
		}
	}
	if !ok {
		return fmt.Errorf("%w: expected %s (%s), the signature names %s", ErrIdentity, Reference(want), id.kind, signed)
	}
	return nil
}

// intended returns the name that a signature for the image ref should carry.
func (id identity) intended(ref Reference) (name, error) {
	switch id.kind {
	case exactReference, exactRepository:
		return id.exact, nil
	case remapIdentity:
		rest, ok := cutPrefix(ref.Repository(), id.prefix)
		if !ok {
			return name(ref), nil
		}
		n, err := splitName(id.signedPrefix + rest)
		if err != nil {
			return name{}, fmt.Errorf("remapIdentity makes %q of %s: %w", id.signedPrefix+rest, ref.Repository(), err)
		}
		n.tag, n.digest = ref.tag, ref.digest
		return n, nil
	}
	return name(ref), nil
}

// sameReference compares an image's name with one that must carry a tag or a
// digest. An image asked for by tag and digest matches a signature for the tag
// alone, because the digest is checked against the content anyway.
func sameReference(want, got name) bool {
	if got.tag == "" && got.digest == "" {
		return false
	}
	if want.tag != "" && got.digest == "" {
		want.digest = ""
	}
	return want == got
}

func sameRepository(a, b name) bool { return a.host == b.host && a.path == b.path }

// cutPrefix removes a prefix of whole components.
func cutPrefix(repository, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(repository, prefix)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// parseSigned reads the name in a signature. Other than a Reference it may
// lack tag and digest, and short names mean Docker Hub, as they do for the
// tools that write signatures.
func parseSigned(s string) (name, error) {
	if len(s) > maxReference {
		return name{}, fmt.Errorf("expected at most %d characters, got %d", maxReference, len(s))
	}
	n, err := splitName(s)
	if err != nil {
		return name{}, err
	}
	if n.host == "" && len(n.path) == sha256Hex && strings.IndexFunc(n.path, func(r rune) bool { return !isHex(r) }) < 0 {
		return name{}, fmt.Errorf("an image ID is not a name")
	}
	if n.host == "" || n.host == dockerHubHost {
		n.host = "docker.io"
	}
	if n.host == "docker.io" && !strings.Contains(n.path, "/") {
		n.path = "library/" + n.path
	}
	if len(n.host)+1+len(n.path) > maxName {
		return name{}, fmt.Errorf("expected a name of at most %d characters", maxName)
	}
	return n, nil
}
