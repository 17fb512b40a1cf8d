package payload

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/internal/layout"
	"github.com/slipway-boot/slipway/internal/mounts"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
)

// machine is the state of one attempt, filled by bringUp.
type machine struct {
	cfg *Config
	log *bootlog.Log

	conf    *config.Config
	policy  *oci.Policy
	info    layout.PayloadInfo
	client  *oci.Client
	modules *modules

	image        *oci.Image // set by verify, for the report
	clockTrusted bool
	fetched      int64 // bytes over the network, layers included
	leastFree    int64 // the least MemAvailable seen, bytes
	root         rootFacts
	cmdline      string
	args         []Arg
}

// rootFacts is what the report says of the root that was handed over.
type rootFacts struct {
	way     string // direct or initrd
	size    int64
	sha256  string // only if check-root asked for it
	release string
}

// efivars is where the firmware's variables are mounted.
const efivars = "/sys/firmware/efi/efivars"

// bringUp is step 1: policy, drivers, configuration, links, addresses, clock.
func (m *machine) bringUp(ctx context.Context) (err error) {
	s := m.begin(1, "bring up")
	defer s.end(&err)
	if err := m.readPayload(); err != nil {
		return err
	}
	if m.info.Demo {
		s.Printf("this payload was built with demo keys: never use it on a real machine")
	}
	if err := m.drivers(s); err != nil {
		return err
	}
	if err := m.readConfig(); err != nil {
		return err
	}
	links, err := m.network(ctx, s)
	if err != nil {
		return err
	}
	clock, err := m.clock(ctx, links)
	if err != nil {
		return err
	}
	if m.client, err = m.newClient(); err != nil {
		return err
	}
	s.Done("%s, %s", describe(links), clock)
	return nil
}

// readPayload reads what was baked in. A payload without a policy or without
// TLS roots boots nothing.
func (m *machine) readPayload() error {
	data, err := fs.ReadFile(m.cfg.FS, layout.Payload)
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	if err := json.Unmarshal(data, &m.info); err != nil {
		return fmt.Errorf("payload: %s: %w", layout.Payload, err)
	}
	policy, err := fs.ReadFile(m.cfg.FS, layout.PolicyJSON)
	if err != nil {
		return fmt.Errorf("policy: %w: %w", oci.ErrPolicy, err)
	}
	boot, err := fs.ReadFile(m.cfg.FS, layout.BootPolicy)
	if err != nil {
		return fmt.Errorf("policy: %w: %w", oci.ErrPolicy, err)
	}
	m.policy, err = oci.ParsePolicy(policy, boot, func(path string) ([]byte, error) {
		return nil, fmt.Errorf("%s: keys in a payload's policy are inline", path)
	})
	return err
}

// drivers mounts what drivers need and loads a module for every device.
func (m *machine) drivers(s *step) error {
	if err := mounts.All(mounts.API); err != nil {
		return err
	}
	var err error
	if m.modules, err = openModules(m.cfg.FS); err != nil {
		return err
	}
	for _, problem := range m.modules.coldplug() {
		s.Printf("warning: %v", problem)
	}
	if _, err := os.Stat("/sys/firmware/efi"); err == nil {
		_ = m.modules.load("efivarfs") // built in, or the mount below fails and says so
		return mounts.All([]mounts.Mount{{Source: "efivarfs", Target: efivars, Type: "efivarfs", Optional: true}})
	}
	return nil
}

// newClient makes the registry client from the payload's own roots and the
// configured mirrors.
func (m *machine) newClient() (*oci.Client, error) {
	pem, err := fs.ReadFile(m.cfg.FS, layout.CA)
	if err != nil {
		return nil, fmt.Errorf("tls roots: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls roots: %s: expected certificates in PEM, found none", layout.CA)
	}
	return &oci.Client{Roots: roots, Mirrors: Mirrors(m.conf)}, nil
}

// Mirrors turns the configured mirrors into the client's form.
func Mirrors(c *config.Config) []oci.Mirror {
	var out []oci.Mirror
	for prefix, locations := range c.Mirrors {
		for _, l := range locations {
			out = append(out, oci.Mirror{Prefix: prefix, Location: l})
		}
	}
	return out
}

// reference returns the candidate of this attempt.
func (m *machine) reference() string { return m.conf.Candidates()[m.cfg.Index] }

// watchMemory remembers how little memory was free at the worst moment.
func (m *machine) watchMemory() {
	if free, err := memAvailable(); err == nil && (m.leastFree == 0 || free < m.leastFree) {
		m.leastFree = free
	}
}

// ErrMemory is wrapped when the machine has too little memory for the image.
var ErrMemory = errors.New("not enough memory")

// memAvailable returns MemAvailable of /proc/meminfo in bytes.
func memAvailable() (int64, error) { return meminfo("MemAvailable:") }

func meminfo(field string) (int64, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kb int64
		if rest, ok := strings.CutPrefix(line, field); ok {
			if _, err := fmt.Sscan(rest, &kb); err != nil {
				return 0, fmt.Errorf("/proc/meminfo: %s %w", field, err)
			}
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("/proc/meminfo: no %s", field)
}
