// Package config reads what to boot and how to reach it. Configuration comes
// from anywhere and is trusted for nothing: it never says what may boot, that
// is the policy's.
//
// Start with Defaults, then apply the sources weakest first: ParseTOML for
// each slipway.toml, ParseCmdline for the kernel command line, Validate at the
// end. Every value remembers the source it came from. An unknown key is an
// error that names the nearest known one.
package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrConfig is wrapped by every refusal of a configuration.
var ErrConfig = errors.New("configuration")

// Schema is the only value of the key schema.
const Schema = 1

// Ceilings for what a configuration may ask.
const (
	maxBytes    = 64 << 10 // of one slipway.toml
	maxValues   = 32       // elements of one list
	maxAttempts = 100
	maxWait     = time.Hour
)

// Config is what to boot and how to reach it.
type Config struct {
	Reference string              // docker reference of the boot image
	Fallback  []string            // references to try when Reference fails, in order
	Mirrors   map[string][]string // logical registry or repository prefix → where to connect, in order
	Kargs     []string            // kernel arguments to add; the policy's allow.kargs decides
	Root      string              // auto, direct or initrd
	NTP       []string            // host or host:port; empty: only what DHCP offers
	CheckRoot bool                // hash the root before and after kexec

	NetworkTimeout time.Duration // for links and leases
	Attempts       int           // rounds through all references before giving up
	Wait           time.Duration // before the first new round; it doubles each time
	AfterFailure   string        // reboot, poweroff or halt

	origin map[string]string
}

// Defaults returns the configuration in which nothing was configured.
func Defaults() *Config {
	c := &Config{Mirrors: map[string][]string{}, origin: map[string]string{}}
	for _, k := range keys {
		if k.preset != "" {
			_ = k.set(c, []string{k.preset}) // TestPresets knows them to be valid
			c.origin[k.name] = "default"
		}
	}
	return c
}

// Origin returns where the value of key came from; "" if it was never set.
func (c *Config) Origin(key string) string { return c.origin[key] }

// Values lists every key that has a value, in the order of the manual page.
func (c *Config) Values() []Value {
	var out []Value
	for _, k := range keys {
		if origin := c.origin[k.name]; origin != "" {
			out = append(out, Value{Key: k.name, Value: k.get(c), Origin: origin})
		}
	}
	return out
}

// Value is one configured value and its source.
type Value struct{ Key, Value, Origin string }

// Candidates returns the references to try, in order.
func (c *Config) Candidates() []string {
	return append([]string{c.Reference}, c.Fallback...)
}

// Validate checks what only the whole configuration can tell.
func (c *Config) Validate() error {
	if c.Reference == "" {
		return fmt.Errorf("%w: reference is empty: set reference = \"registry.example/os/web:stable\" in slipway.toml or slipway.reference= on the command line", ErrConfig)
	}
	return nil
}

// assign sets one key from one source; later assignments win.
func (c *Config) assign(name string, values []string, source string) error {
	k, ok := lookup(name)
	if !ok {
		return unknown(name)
	}
	if len(values) > maxValues {
		return fmt.Errorf("%w: %s: expected at most %d values, got %d", ErrConfig, name, maxValues, len(values))
	}
	if err := k.set(c, values); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrConfig, name, err)
	}
	c.origin[name] = source
	return nil
}

func expected(what, got string) error {
	return fmt.Errorf("expected %s, got %q", what, got)
}

func oneOf(words ...string) func(string) error {
	return func(got string) error {
		for _, w := range words {
			if got == w {
				return nil
			}
		}
		return expected(strings.Join(words, ", "), got)
	}
}
