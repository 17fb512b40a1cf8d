package oci

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-boot/slipway/internal/nearest"
)

// identityKinds lists the types of signedIdentity with the keys each of them
// must have, beside type.
func identityKinds() []struct {
	kind string
	keys []string
} {
	return []struct {
		kind string
		keys []string
	}{
		{matchExact, nil},
		{matchRepoDigestOrExact, nil},
		{matchRepository, nil},
		{exactReference, []string{"dockerReference"}},
		{exactRepository, []string{"dockerRepository"}},
		{remapIdentity, []string{"prefix", "signedPrefix"}},
	}
}

// parse checks a signedIdentity; nil is the default, matchRepoDigestOrExact.
func (f *identityFile) parse() (identity, error) {
	if f == nil {
		return identity{kind: matchRepoDigestOrExact}, nil
	}
	id, err := f.parseKind()
	if err != nil {
		return identity{}, fmt.Errorf("signedIdentity at %s: %w", f.At, err)
	}
	return id, nil
}

func (f *identityFile) parseKind() (identity, error) {
	if err := f.checkKeys(); err != nil {
		return identity{}, err
	}
	id := identity{kind: f.Type}
	switch f.Type {
	case exactReference:
		ref, err := ParseReference(*f.DockerReference)
		if err != nil {
			return id, fmt.Errorf("dockerReference: %w", err)
		}
		id.exact = name(ref)
	case exactRepository:
		n, err := splitName(*f.DockerRepository)
		if err != nil || n.host == "" || n.tag != "" || n.digest != "" {
			return id, fmt.Errorf("dockerRepository: %q: expected host/repository without tag", clip(*f.DockerRepository))
		}
		id.exact = n
	case remapIdentity:
		id.prefix, id.signedPrefix = *f.Prefix, *f.SignedPrefix
		for _, prefix := range []string{id.prefix, id.signedPrefix} {
			if err := checkPlace(prefix); err != nil {
				return id, fmt.Errorf("prefix %q: %w", clip(prefix), err)
			}
		}
	}
	return id, nil
}

// checkKeys checks that the keys are those of the type.
func (f *identityFile) checkKeys() error {
	var names []string
	for _, k := range identityKinds() {
		names = append(names, k.kind)
		if k.kind != f.Type {
			continue
		}
		for _, key := range []struct {
			name  string
			value *string
		}{
			{"dockerReference", f.DockerReference}, {"dockerRepository", f.DockerRepository},
			{"prefix", f.Prefix}, {"signedPrefix", f.SignedPrefix},
		} {
			wanted := slices.Contains(k.keys, key.name)
			if wanted && key.value == nil {
				return fmt.Errorf("type %s: key %q is missing", f.Type, key.name)
			}
			if !wanted && key.value != nil {
				return fmt.Errorf("type %s takes no key %q", f.Type, key.name)
			}
		}
		return nil
	}
	if near := nearest.Word(f.Type, names); near != "" {
		return fmt.Errorf("unknown type %q, the nearest is %q", clip(f.Type), near)
	}
	return fmt.Errorf("unknown type %q, expected one of %s", clip(f.Type), strings.Join(names, ", "))
}

// file returns the identity as it stands in policy.json.
func (id identity) file() *identityFile {
	f := &identityFile{Type: id.kind}
	switch id.kind {
	case exactReference:
		s := Reference(id.exact).String()
		f.DockerReference = &s
	case exactRepository:
		s := Reference(id.exact).Repository()
		f.DockerRepository = &s
	case remapIdentity:
		f.Prefix, f.SignedPrefix = &id.prefix, &id.signedPrefix
	}
	return f
}
