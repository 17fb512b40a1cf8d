package config

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/internal/nearest"
	"github.com/slipway-boot/slipway/oci"
)

// key is one configuration key: the same table serves slipway.toml, the
// command line (slipway.NAME=) and the report.
type key struct {
	name   string
	preset string // value when nothing sets it
	list   bool   // takes several values: an array in TOML, on the command line repetition or sep between them
	sep    string
	flag   bool // true or false; the bare word on the command line means true
	number bool // an integer in TOML
	pairs  bool // a table of lists in TOML, PREFIX=LOCATION on the command line
	set    func(*Config, []string) error
	get    func(*Config) string
}

var keys = []key{
	text("reference", "", func(c *Config) *string { return &c.Reference }, isReference),
	list("fallback", ",", isReference, func(c *Config) *[]string { return &c.Fallback }),
	{name: "mirrors", pairs: true, list: true, sep: ",", set: setMirrors, get: getMirrors},
	list("kargs", " ", isText, func(c *Config) *[]string { return &c.Kargs }),
	text("root", "auto", func(c *Config) *string { return &c.Root }, oneOf("auto", "direct", "initrd")),
	list("ntp", ",", isText, func(c *Config) *[]string { return &c.NTP }),
	{name: "check-root", flag: true, preset: "false", set: setCheckRoot, get: func(c *Config) string { return strconv.FormatBool(c.CheckRoot) }},
	duration("network-timeout", "45s", func(c *Config) *time.Duration { return &c.NetworkTimeout }),
	{name: "attempts", number: true, preset: "3", set: setAttempts, get: func(c *Config) string { return strconv.Itoa(c.Attempts) }},
	duration("wait", "5s", func(c *Config) *time.Duration { return &c.Wait }),
	text("after-failure", "reboot", func(c *Config) *string { return &c.AfterFailure }, oneOf("reboot", "poweroff", "halt")),
}

func lookup(name string) (key, bool) {
	for _, k := range keys {
		if k.name == name {
			return k, true
		}
	}
	return key{}, false
}

// unknown names the nearest key that exists.
func unknown(name string) error {
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	if near := nearest.Word(name, append(names, "schema", "cmdline")); near != "" {
		return fmt.Errorf("%w: unknown key %q: did you mean %q?", ErrConfig, name, near)
	}
	return fmt.Errorf("%w: unknown key %q: known are %s", ErrConfig, name, strings.Join(names, ", "))
}

func text(name, preset string, field func(*Config) *string, check func(string) error) key {
	return key{name: name, preset: preset,
		set: func(c *Config, v []string) error {
			if len(v) != 1 || v[0] == "" {
				return errors.New("expected one value that is not empty")
			}
			if err := check(v[0]); err != nil {
				return err
			}
			*field(c) = v[0]
			return nil
		},
		get: func(c *Config) string { return *field(c) },
	}
}

// isReference refuses what the loader could not fetch.
func isReference(s string) error {
	_, err := oci.ParseReference(s)
	return err
}

func isText(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("expected values that are not empty")
	}
	return nil
}

func list(name, sep string, check func(string) error, field func(*Config) *[]string) key {
	return key{name: name, list: true, sep: sep,
		set: func(c *Config, v []string) error {
			for _, s := range v {
				if err := check(s); err != nil {
					return err
				}
			}
			*field(c) = v
			return nil
		},
		get: func(c *Config) string { return strings.Join(*field(c), " ") },
	}
}

func duration(name, preset string, field func(*Config) *time.Duration) key {
	return key{name: name, preset: preset,
		set: func(c *Config, v []string) error {
			if len(v) != 1 {
				return errors.New("expected one duration")
			}
			d, err := time.ParseDuration(v[0])
			if err != nil || d <= 0 || d > maxWait {
				return expected("a duration above 0 and up to "+maxWait.String()+", as \"30s\"", v[0])
			}
			*field(c) = d
			return nil
		},
		get: func(c *Config) string { return field(c).String() },
	}
}

func setAttempts(c *Config, v []string) error {
	n, err := strconv.Atoi(strings.Join(v, ","))
	if err != nil || n < 1 || n > maxAttempts {
		return expected(fmt.Sprintf("a number from 1 to %d", maxAttempts), strings.Join(v, ","))
	}
	c.Attempts = n
	return nil
}

func setCheckRoot(c *Config, v []string) error {
	b, err := strconv.ParseBool(strings.Join(v, ","))
	if err != nil {
		return expected("true or false", strings.Join(v, ","))
	}
	c.CheckRoot = b
	return nil
}

// setMirrors takes PREFIX=LOCATION pairs.
func setMirrors(c *Config, v []string) error {
	mirrors := map[string][]string{}
	for _, pair := range v {
		prefix, location, ok := strings.Cut(pair, "=")
		if !ok {
			return expected("PREFIX=HOST[:PORT][/PATH]", pair)
		}
		if err := (oci.Mirror{Prefix: prefix, Location: location}).Validate(); err != nil {
			return err
		}
		mirrors[prefix] = append(mirrors[prefix], location)
	}
	c.Mirrors = mirrors
	return nil
}

func getMirrors(c *Config) string {
	var out []string
	for prefix, locations := range c.Mirrors {
		for _, l := range locations {
			out = append(out, prefix+"="+l)
		}
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}
