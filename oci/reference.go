package oci

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Ceilings of a reference, as in the distribution specification.
const (
	maxReference = 512 // whole text
	maxName      = 255 // host and repository
	maxTag       = 128
	sha256Prefix = "sha256:"
	sha256Hex    = 64
)

// Digest is a content digest, "sha256:" and 64 lower-case hex digits. No other
// algorithm is known.
type Digest string

// ParseDigest checks s. Errors wrap ErrReference.
func ParseDigest(s string) (Digest, error) {
	hex, ok := strings.CutPrefix(s, sha256Prefix)
	if !ok {
		return "", fmt.Errorf("%w: digest %q: expected sha256 and 64 hex digits", ErrReference, clip(s))
	}
	if len(hex) != sha256Hex {
		return "", fmt.Errorf("%w: digest %q: expected 64 hex digits, got %d", ErrReference, clip(s), len(hex))
	}
	if i := strings.IndexFunc(hex, func(r rune) bool { return !isHex(r) }); i >= 0 {
		return "", fmt.Errorf("%w: digest %q: expected lower-case hex digits, got %q", ErrReference, s, hex[i])
	}
	return Digest(s), nil
}

// Hex returns the digits without the algorithm.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), sha256Prefix) }

// String returns d as text.
func (d Digest) String() string { return string(d) }

// Reference names an image in a registry: host, repository, and a tag or a
// digest or both. The zero value names nothing and is refused everywhere.
type Reference struct {
	host, path string
	tag        string
	digest     Digest
}

// ParseReference reads "[docker://]host[:port]/repository[:tag][@sha256:…]".
// Nothing is filled in: a reference without registry host, or with neither tag
// nor digest, is an error. Errors wrap ErrReference.
func ParseReference(s string) (Reference, error) {
	fail := func(format string, args ...any) (Reference, error) {
		return Reference{}, fmt.Errorf("%w: %q: %s", ErrReference, clip(s), fmt.Sprintf(format, args...))
	}
	if s == "" {
		return Reference{}, fmt.Errorf("%w: empty, expected registry.example/repository:tag", ErrReference)
	}
	if len(s) > maxReference {
		return fail("expected at most %d characters, got %d", maxReference, len(s))
	}
	text := strings.TrimPrefix(s, "docker://")
	if i := strings.Index(text, "://"); i >= 0 {
		return fail("scheme %q is not known, expected none or docker://", text[:i+3])
	}
	n, err := splitName(text)
	if err != nil {
		return fail("%v", err)
	}
	switch {
	case n.host == "":
		return fail("no registry host, expected for example docker.io/library/%s", text)
	case n.host != strings.ToLower(n.host):
		return fail("the registry host must be in lower case")
	case n.host == dockerHubHost:
		return fail("this registry is called docker.io")
	case n.host == "docker.io" && !strings.Contains(n.path, "/"):
		return fail("expected docker.io/library/%s", n.path)
	case n.tag == "" && n.digest == "":
		return fail("neither tag nor digest, expected for example %s:latest", text)
	}
	return Reference(n), nil
}

// String returns the reference without docker://; ParseReference reads it back.
func (r Reference) String() string {
	if r.IsZero() {
		return ""
	}
	s := r.Repository()
	if r.tag != "" {
		s += ":" + r.tag
	}
	if r.digest != "" {
		s += "@" + string(r.digest)
	}
	return s
}

// IsZero reports whether r is the zero value.
func (r Reference) IsZero() bool { return r == Reference{} }

// Repository returns "host[:port]/repository".
func (r Reference) Repository() string { return r.host + "/" + r.path }

// Tag returns the tag or "".
func (r Reference) Tag() string { return r.tag }

// Digest returns the digest or "".
func (r Reference) Digest() Digest { return r.digest }

// name is a reference of the distribution grammar, where host, tag and digest
// may be missing.
type name Reference

// splitName takes a reference apart by the grammar of
// github.com/distribution/reference, without adding defaults.
func splitName(s string) (name, error) {
	var n name
	rest, digest, ok := strings.Cut(s, "@")
	if ok {
		d, err := ParseDigest(digest)
		if err != nil {
			return n, fmt.Errorf("digest %q is not sha256: and 64 hex digits", clip(digest))
		}
		n.digest = d
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') && strings.Contains(rest, "/") {
		rest, n.tag = rest[:i], rest[i+1:]
		if err := checkTag(n.tag); err != nil {
			return n, err
		}
	}
	if first, path, ok := strings.Cut(rest, "/"); ok && isHost(first) {
		n.host, rest = first, path
		if err := checkHost(first); err != nil {
			return n, err
		}
	}
	n.path = rest
	if n.host == "" {
		return n, checkShort(&n)
	}
	if len(n.host)+1+len(n.path) > maxName {
		return n, fmt.Errorf("expected a name of at most %d characters", maxName)
	}
	return n, checkPath(n.path)
}

// checkShort finishes a name without a host, whose tag may follow its only
// path component.
func checkShort(n *name) error {
	if path, tag, ok := strings.Cut(n.path, ":"); ok {
		n.path, n.tag = path, tag
		if err := checkTag(tag); err != nil {
			return err
		}
	}
	return checkPath(n.path)
}

// isHost is the rule that tells a registry host from the first component of a
// repository path.
func isHost(s string) bool {
	return strings.ContainsAny(s, ".:") || s == "localhost" || s != strings.ToLower(s)
}

// checkPlace checks "host[:port][/path]", without tag or digest and as
// references spell it.
func checkPlace(s string) error {
	host, path, hasPath := strings.Cut(s, "/")
	switch {
	case host != strings.ToLower(host):
		return errors.New("the registry host must be in lower case")
	case !isHost(host):
		return errors.New("no registry host")
	case host == dockerHubHost:
		return errors.New("this registry is called docker.io")
	}
	if err := checkHost(host); err != nil || !hasPath {
		return err
	}
	return checkPath(path)
}

func checkHost(s string) error {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
			return fmt.Errorf("port %q is not a number from 1 to 65535", port)
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if !ok || inner == "" || strings.Trim(inner, "0123456789abcdefABCDEF:") != "" {
			return fmt.Errorf("registry host %q is not an IPv6 address in brackets", host)
		}
		return nil
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.Trim(label, "-") != label || !all(label, isHostByte) {
			return fmt.Errorf("registry host %q is not a host name", host)
		}
	}
	return nil
}

func checkPath(path string) error {
	for part := range strings.SplitSeq(path, "/") {
		if !pathComponent(part) {
			return fmt.Errorf("repository component %q: expected lower-case letters and digits, joined by . _ __ or -", part)
		}
	}
	return nil
}

// pathComponent is alphanumeric runs joined by ".", "_", "__" or any number
// of "-".
func pathComponent(s string) bool {
	if s == "" || !isLowerAlnum(s[0]) || !isLowerAlnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		if isLowerAlnum(s[i]) {
			i++
			continue
		}
		j := i
		for !isLowerAlnum(s[j]) {
			j++
		}
		if sep := s[i:j]; sep != "." && sep != "_" && sep != "__" && strings.Trim(sep, "-") != "" {
			return false
		}
		i = j
	}
	return true
}

func checkTag(s string) error {
	if s == "" || len(s) > maxTag || s[0] == '.' || s[0] == '-' || !all(s, isTagByte) {
		return fmt.Errorf("tag %q: expected 1 to %d letters, digits, '.', '_' or '-'", clip(s), maxTag)
	}
	return nil
}

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isHex(r rune) bool { return r >= '0' && r <= '9' || r >= 'a' && r <= 'f' }

func isLowerAlnum(b byte) bool { return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' }

func isHostByte(b byte) bool { return isLowerAlnum(b) || b >= 'A' && b <= 'Z' || b == '-' }

func isTagByte(b byte) bool { return isHostByte(b) || b == '.' || b == '_' }

// clip keeps text from outside short enough for an error message.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
