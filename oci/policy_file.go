package oci

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-boot/slipway/internal/nearest"
	"github.com/slipway-boot/slipway/internal/strictjson"
)

// policyFile is policy.json: the part of containers-policy.json(5) that is
// supported. Everything else in the file is an error.
type policyFile struct {
	Default    []requirementFile `json:"default"`
	Transports *transportsFile   `json:"transports,omitempty"`
}

type transportsFile struct {
	Docker map[string][]requirementFile `json:"docker,omitempty"`
}

type requirementFile struct {
	At             strictjson.Position `json:"-"`
	Type           string              `json:"type"`
	KeyPath        *string             `json:"keyPath,omitempty"`
	KeyPaths       []string            `json:"keyPaths,omitempty"`
	KeyData        *string             `json:"keyData,omitempty"`
	KeyDatas       []string            `json:"keyDatas,omitempty"`
	SignedIdentity *identityFile       `json:"signedIdentity,omitempty"`
}

type identityFile struct {
	At               strictjson.Position `json:"-"`
	Type             string              `json:"type"`
	DockerReference  *string             `json:"dockerReference,omitempty"`
	DockerRepository *string             `json:"dockerRepository,omitempty"`
	Prefix           *string             `json:"prefix,omitempty"`
	SignedPrefix     *string             `json:"signedPrefix,omitempty"`
}

// parseJSON fills p from policy.json; p.boot is already there.
func (p *Policy) parseJSON(data []byte, readKey func(string) ([]byte, error)) error {
	var f policyFile
	if err := strictjson.Decode(data, &f, strictjson.Options{MaxBytes: maxPolicyFile}); err != nil {
		return err
	}
	var err error
	if p.fallback, err = p.parseList(f.Default, readKey); err != nil {
		return fmt.Errorf("default: %w", err)
	}
	if f.Transports == nil {
		return nil
	}
	if n := len(f.Transports.Docker); n > maxScopes {
		return fmt.Errorf("expected at most %d scopes, got %d", maxScopes, n)
	}
	p.docker = map[string][]requirement{}
	for _, scope := range slices.Sorted(maps.Keys(f.Transports.Docker)) {
		if err := checkScope(scope); err != nil {
			return fmt.Errorf("scope %q: %w", clip(scope), err)
		}
		if p.docker[scope], err = p.parseList(f.Transports.Docker[scope], readKey); err != nil {
			return fmt.Errorf("scope %q: %w", scope, err)
		}
	}
	return nil
}

// checkScope refuses scopes that no reference can ever have, since they are
// mistakes and leave the image to a weaker scope.
func checkScope(scope string) error {
	if scope == "" {
		return nil
	}
	if host, ok := strings.CutPrefix(scope, "*."); ok {
		if err := checkHost(host); err != nil || strings.ContainsAny(host, ":[") || host != strings.ToLower(host) {
			return errors.New("can never match: expected *. and a lower-case host name without port")
		}
		return nil
	}
	place := scope
	if n, err := splitName(scope); err == nil && strings.Contains(scope, "/") {
		if n.tag != "" && n.digest != "" {
			return errors.New("can never match: expected a tag or a digest, not both")
		}
		place = Reference(n).Repository()
	}
	if err := checkPlace(place); err != nil {
		return fmt.Errorf("can never match: %w", err)
	}
	return nil
}

func (p *Policy) parseList(list []requirementFile, readKey func(string) ([]byte, error)) ([]requirement, error) {
	if len(list) == 0 || len(list) > maxRequirements {
		return nil, fmt.Errorf("expected 1 to %d requirements, got %d", maxRequirements, len(list))
	}
	var out []requirement
	for _, f := range list {
		r, err := p.parseRequirement(f, readKey)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.At, err)
		}
		if slices.ContainsFunc(out, r.same) {
			return nil, fmt.Errorf("%s: the same requirement twice: it is met by the same signature, so it is no second one", f.At)
		}
		out = append(out, r)
	}
	return out, nil
}

// same reports whether r and o always hold together.
func (r requirement) same(o requirement) bool {
	return r.kind == o.kind && r.identity == o.identity && slices.Equal(keyIDs(r.keys), keyIDs(o.keys))
}

func keyIDs(keys []*PublicKey) []string {
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID())
	}
	slices.Sort(ids)
	return ids
}

func (p *Policy) parseRequirement(f requirementFile, readKey func(string) ([]byte, error)) (requirement, error) {
	r := requirement{kind: f.Type}
	bare := f.KeyPath == nil && f.KeyPaths == nil && f.KeyData == nil && f.KeyDatas == nil && f.SignedIdentity == nil
	switch f.Type {
	case typeReject, typeInsecure:
		if !bare {
			return r, fmt.Errorf("type %s takes no other key", f.Type)
		}
		if f.Type == typeInsecure && !p.boot.Allow.Unsigned {
			return r, fmt.Errorf("type %s needs allow.unsigned = true in %s", f.Type, BootPolicyFile)
		}
		return r, nil
	case typeSigned:
	default:
		known := []string{typeSigned, typeReject, typeInsecure}
		if near := nearest.Word(f.Type, known); near != "" {
			return r, fmt.Errorf("type %q is not supported, the nearest is %q", clip(f.Type), near)
		}
		return r, fmt.Errorf("type %q is not supported, expected one of %s", clip(f.Type), strings.Join(known, ", "))
	}
	var err error
	if r.keys, err = f.keys(readKey); err != nil {
		return r, err
	}
	r.identity, err = f.SignedIdentity.parse()
	return r, err
}

// keys reads the keys of a sigstoreSigned requirement.
func (f requirementFile) keys(readKey func(string) ([]byte, error)) ([]*PublicKey, error) {
	if readKey == nil {
		readKey = func(string) ([]byte, error) { return nil, errors.New("no key files here, expected keyData") }
	}
	decode := func(data string) ([]byte, error) { return decodeBase64(data) }
	var keys []*PublicKey
	given := 0
	for _, source := range []struct {
		key    string
		values []string
		read   func(string) ([]byte, error)
	}{
		{"keyPath", one(f.KeyPath), readKey}, {"keyPaths", f.KeyPaths, readKey},
		{"keyData", one(f.KeyData), decode}, {"keyDatas", f.KeyDatas, decode},
	} {
		if source.values == nil {
			continue
		}
		given++
		if n := len(source.values); n == 0 || n > maxKeys {
			return nil, fmt.Errorf("%s: expected 1 to %d keys, got %d", source.key, maxKeys, n)
		}
		for i, value := range source.values {
			data, err := source.read(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", source.key, err)
			}
			k, err := ParsePublicKey(data)
			if err != nil {
				return nil, fmt.Errorf("%s: key %d (%s): %w", source.key, i+1, clip(value), err)
			}
			if slices.Contains(keyIDs(keys), k.ID()) {
				return nil, fmt.Errorf("%s: key %d (%s): the same key twice", source.key, i+1, clip(value))
			}
			keys = append(keys, k)
		}
	}
	if given != 1 {
		return nil, fmt.Errorf("type %s: expected one of keyPath, keyPaths, keyData, keyDatas, got %d of them", typeSigned, given)
	}
	return keys, nil
}

// one returns a list of the value behind p, nil for none.
func one(p *string) []string {
	if p == nil {
		return nil
	}
	return []string{*p}
}

// file returns p as policy.json with all keys inline.
func (p *Policy) file() policyFile {
	f := policyFile{Default: listFile(p.fallback)}
	if len(p.docker) > 0 {
		f.Transports = &transportsFile{map[string][]requirementFile{}}
		for scope, list := range p.docker {
			f.Transports.Docker[scope] = listFile(list)
		}
	}
	return f
}

func listFile(list []requirement) []requirementFile {
	var out []requirementFile
	for _, r := range list {
		f := requirementFile{Type: r.kind}
		for _, k := range r.keys {
			f.KeyDatas = append(f.KeyDatas, base64.StdEncoding.EncodeToString(k.PEM()))
		}
		if len(f.KeyDatas) == 1 {
			f.KeyData, f.KeyDatas = &f.KeyDatas[0], nil
		}
		if r.kind == typeSigned {
			f.SignedIdentity = r.identity.file()
		}
		out = append(out, f)
	}
	return out
}
