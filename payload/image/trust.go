package image

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-boot/slipway/oci"
)

// maxCA bounds ca.pem. All roots that browsers trust take 220 KiB.
const maxCA = 4 << 20

// checkPolicy makes sure that a policy can ever accept an image.
func checkPolicy(p *oci.Policy) error {
	if p == nil {
		return fmt.Errorf("%w: expected one, got none", ErrPolicy)
	}
	if slices.ContainsFunc(p.Rules(), func(r oci.Rule) bool { return !r.Rejects() }) {
		return nil
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
