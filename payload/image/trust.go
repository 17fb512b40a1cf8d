package image

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slipway-boot/slipway/oci"
)

// maxCA bounds ca.pem. All roots that browsers trust take 220 KiB.
const maxCA = 4 << 20

// Rule is one requirement of a policy.
type Rule struct {
	Scope string   `json:"scope"` // "" is the default for all others
	Type  string   `json:"type"`  // "sigstoreSigned", "reject" or "insecureAcceptAnything"
	Keys  []string `json:"keys,omitempty"`
}

// requirement is what Rules reads of an element of policy.json.
type requirement struct {
	Type     string   `json:"type"`
	KeyData  string   `json:"keyData"`
	KeyDatas []string `json:"keyDatas"`
}

// Rules lists what a policy requires, with the IDs of the keys it trusts.
func Rules(p *oci.Policy) ([]Rule, error) {
	text, _, err := p.Files()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	var doc struct {
		Default    []requirement
		Transports struct{ Docker map[string][]requirement }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	rules, err := appendRules(nil, "", doc.Default)
	for _, scope := range slices.Sorted(maps.Keys(doc.Transports.Docker)) {
		if err == nil {
			rules, err = appendRules(rules, scope, doc.Transports.Docker[scope])
		}
	}
	return rules, err
}

func appendRules(rules []Rule, scope string, list []requirement) ([]Rule, error) {
	for _, r := range list {
		rule := Rule{Scope: scope, Type: r.Type}
		if r.KeyData != "" {
			r.KeyDatas = append(r.KeyDatas, r.KeyData)
		}
		for _, data := range r.KeyDatas {
			text, err := base64.StdEncoding.DecodeString(data)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
			}
			key, err := oci.ParsePublicKey(text)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
			}
			rule.Keys = append(rule.Keys, key.ID())
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// checkPolicy makes sure that a policy can ever accept an image.
func checkPolicy(p *oci.Policy) error {
	if p == nil {
		return fmt.Errorf("%w: expected one, got none", ErrPolicy)
	}
	rules, err := Rules(p)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if len(r.Keys) > 0 || r.Type == "insecureAcceptAnything" {
			return nil
		}
	}
	return fmt.Errorf("%w: it rejects every image: expected at least one key", ErrPolicy)
}

// Certificates parses TLS roots: PEM with certificates and nothing else. Errors:
// ErrCA, ErrPrivateKey.
func Certificates(ca []byte) ([]*x509.Certificate, error) {
	if err := CheckPublic("ca.pem", ca); err != nil {
		return nil, err
	}
	if len(ca) > maxCA {
		return nil, fmt.Errorf("%w: expected at most %d bytes, got %d", ErrCA, maxCA, len(ca))
	}
	var list []*x509.Certificate
	for rest := ca; ; {
		block, next := pem.Decode(rest)
		if block == nil {
			break
		}
		start := len(ca) - len(rest) + bytes.Index(rest, []byte("-----BEGIN"))
		line := 1 + bytes.Count(ca[:start], []byte("\n"))
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%w: line %d: expected CERTIFICATE, got %.40s", ErrCA, line, block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrCA, line, err)
		}
		list, rest = append(list, c), next
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: expected certificates in PEM, found none", ErrCA)
	}
	return list, nil
}

// expired lists the certificates that are of no use at a time.
func expired(list []*x509.Certificate, now time.Time) []string {
	var warnings []string
	for _, c := range list {
		if now.After(c.NotAfter) {
			warnings = append(warnings, fmt.Sprintf("the TLS root %q expired on %s", c.Subject, c.NotAfter.Format(time.DateOnly)))
		}
	}
	return warnings
}

// CheckPublic refuses text that contains a private key in PEM of any kind.
// Error: ErrPrivateKey.
func CheckPublic(name string, text []byte) error {
	at := bytes.Index(text, []byte("PRIVATE KEY-----"))
	if at < 0 {
		return nil
	}
	line := 1 + bytes.Count(text[:at], []byte("\n"))
	return fmt.Errorf("%w: %s line %d: expected public material only", ErrPrivateKey, name, line)
}
