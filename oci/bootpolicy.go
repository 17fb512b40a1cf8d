package oci

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/slipway-boot/slipway/internal/nearest"
)

// BootPolicySchema is the only schema of boot-policy.toml that is read.
const BootPolicySchema = 1

// maxKargs is how many patterns allow.kargs may have.
const maxKargs = 256

// Values of the rules in boot-policy.toml.
const (
	RuleOptional   = "optional"
	RuleRequired   = "required"
	IdentitySigned = "signed"
	IdentityWaived = "waived"
)

// BootPolicy is boot-policy.toml: what stock policy.json cannot say. Every
// default is the closed one.
type BootPolicy struct {
	// Schema is the file's schema number, BootPolicySchema.
	Schema int `toml:"schema"`
	// Epoch is the floor for the signed annotation epoch. Above 0, a
	// signature without the annotation does not count.
	Epoch uint64 `toml:"epoch"`
	// Expires is RuleOptional (a signed expiry is honoured where there is
	// one) or RuleRequired (a signature without one does not count).
	Expires string `toml:"expires"`
	// Ref is RuleOptional or RuleRequired (the signed annotation ref must be
	// there and be the reference asked for, tag included).
	Ref string `toml:"ref"`
	// BundleIdentity is IdentitySigned (a bundle names its image by the
	// signed annotation ref) or IdentityWaived (a bundle needs no name).
	BundleIdentity string `toml:"bundle-identity"`
	// Allow is what may happen beside the plain boot.
	Allow Allow `toml:"allow"`
}

// Allow is the table [allow] of boot-policy.toml.
type Allow struct {
	// Kargs are glob patterns of kernel arguments a configuration may add.
	Kargs []string `toml:"kargs"`
	// Containers allows privileged containers from configuration.
	Containers bool `toml:"containers"`
	// Wipe allows erasing disks.
	Wipe bool `toml:"wipe"`
	// InsecureRegistry allows registries without a verified certificate.
	InsecureRegistry bool `toml:"insecure-registry"`
	// UnsignedExtraArgs allows arguments from outside the signed image.
	UnsignedExtraArgs bool `toml:"unsigned-extra-args"`
	// Rescue allows a rescue shell.
	Rescue bool `toml:"rescue"`
	// Unsigned allows insecureAcceptAnything in policy.json.
	Unsigned bool `toml:"unsigned"`
}

// Karg reports whether a configuration may add the kernel argument arg. The
// patterns are those of path.Match: a * does not match a slash.
func (a Allow) Karg(arg string) bool {
	return slices.ContainsFunc(a.Kargs, func(pattern string) bool {
		ok, err := path.Match(pattern, arg)
		return ok && err == nil
	})
}

// defaultBootPolicy is what holds where there is no file.
func defaultBootPolicy() BootPolicy {
	return BootPolicy{Schema: BootPolicySchema, Expires: RuleOptional, Ref: RuleOptional, BundleIdentity: IdentitySigned}
}

// bootPolicyKeys lists the keys of boot-policy.toml by table; "" is the top.
func bootPolicyKeys() map[string][]string {
	return map[string][]string{
		"":      {"schema", "epoch", "expires", "ref", "bundle-identity", "allow"},
		"allow": {"kargs", "containers", "wipe", "insecure-registry", "unsigned-extra-args", "rescue", "unsigned"},
	}
}

func parseBootPolicy(data []byte) (BootPolicy, error) {
	b := defaultBootPolicy()
	if data == nil {
		return b, nil
	}
	if len(data) > maxPolicyFile {
		return b, fmt.Errorf("expected at most %d bytes, got %d", maxPolicyFile, len(data))
	}
	meta, err := toml.Decode(string(data), &b)
	if err != nil {
		return b, err
	}
	for _, key := range meta.Keys() {
		if err := checkBootKey(data, key); err != nil {
			return b, err
		}
	}
	if !meta.IsDefined("schema") {
		return b, fmt.Errorf("key %q is missing, expected schema = %d", "schema", BootPolicySchema)
	}
	if b.Schema != BootPolicySchema {
		return b, fmt.Errorf("line %d: schema: expected %d, got %d", lineOf(data, "", "schema"), BootPolicySchema, b.Schema)
	}
	if b.Epoch > math.MaxInt64 { // what the decoder makes of a negative number
		return b, fmt.Errorf("line %d: epoch: expected a number from 0", lineOf(data, "", "epoch"))
	}
	for _, rule := range []struct{ key, value, closed, open string }{
		{"expires", b.Expires, RuleOptional, RuleRequired},
		{"ref", b.Ref, RuleOptional, RuleRequired},
		{"bundle-identity", b.BundleIdentity, IdentitySigned, IdentityWaived},
	} {
		if rule.value != rule.closed && rule.value != rule.open {
			return b, fmt.Errorf("line %d: %s: expected %q or %q, got %q",
				lineOf(data, "", rule.key), rule.key, rule.closed, rule.open, clip(rule.value))
		}
	}
	return b, checkKargs(data, b.Allow.Kargs)
}

func checkKargs(data []byte, patterns []string) error {
	line := lineOf(data, "allow", "kargs")
	if len(patterns) > maxKargs {
		return fmt.Errorf("line %d: allow.kargs: expected at most %d patterns, got %d", line, maxKargs, len(patterns))
	}
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return fmt.Errorf("line %d: allow.kargs: %q is not a pattern", line, clip(pattern))
		}
	}
	return nil
}

// checkBootKey refuses keys that are not spelled exactly as listed; the TOML
// decoder itself ignores case and skips what it does not know.
func checkBootKey(data []byte, key toml.Key) error {
	table, last := "", key[len(key)-1]
	switch {
	case len(key) > 2:
		return fmt.Errorf("unknown key %q", clip(key.String()))
	case len(key) == 2:
		table = key[0]
	}
	known, ok := bootPolicyKeys()[table]
	if !ok || table != "" && len(key) == 1 {
		return fmt.Errorf("line %d: unknown key %q", lineOf(data, table, last), clip(key.String()))
	}
	if slices.Contains(known, last) {
		return nil
	}
	var all []string
	for _, keys := range bootPolicyKeys() {
		all = append(all, keys...)
	}
	if near := nearest.Word(last, known); near != "" {
		return fmt.Errorf("line %d: unknown key %q, the nearest is %q", lineOf(data, table, last), clip(last), near)
	}
	if slices.Contains(all, last) {
		return fmt.Errorf("line %d: key %q stands in the wrong table", lineOf(data, table, last), last)
	}
	return fmt.Errorf("line %d: unknown key %q, expected one of %s", lineOf(data, table, last), clip(last), strings.Join(known, ", "))
}

// lineOf finds the line on which key of table is set, 0 if it cannot tell:
// the decoder does not hand out positions.
func lineOf(data []byte, table, key string) int {
	current := ""
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if header, ok := strings.CutPrefix(line, "["); ok {
			current, _, _ = strings.Cut(header, "]")
			current = strings.Trim(current, " [\"'")
			if table == "" && current == key {
				return number
			}
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		name = strings.Trim(name, " \t\"'")
		inline := current == "" && table != "" && (name == table || name == table+"."+key)
		if ok && (inline || current == table && name == key) {
			return number
		}
	}
	return 0
}
