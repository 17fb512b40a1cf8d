package config

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/slipway-boot/slipway/kexecer"
)

// cmdlinePrefix marks slipway's own words on a kernel command line.
const cmdlinePrefix = "slipway."

// ParseTOML applies one slipway.toml to c. name says where it came from, in
// errors and origins. Errors wrap ErrConfig and name the line.
func (c *Config) ParseTOML(src []byte, name string) error {
	if len(src) > maxBytes {
		return fmt.Errorf("%w: %s: expected at most %d bytes, got %d", ErrConfig, name, maxBytes, len(src))
	}
	var doc map[string]any
	if _, err := toml.Decode(string(src), &doc); err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			return fmt.Errorf("%w: %s: line %d: %s", ErrConfig, name, pe.Position.Line, pe.Message)
		}
		return fmt.Errorf("%w: %s: %w", ErrConfig, name, err)
	}
	if got, ok := doc["schema"]; !ok || got != int64(Schema) {
		return fmt.Errorf("%w: %s: line %d: expected schema = %d, got %v", ErrConfig, name, lineOf(src, "schema"), Schema, doc["schema"])
	}
	for _, key := range sortedKeys(doc) {
		if err := c.tomlKey(key, doc[key], name); err != nil {
			return fmt.Errorf("%s: line %d: %w", name, lineOf(src, key), err)
		}
	}
	return nil
}

func (c *Config) tomlKey(key string, value any, source string) error {
	switch key {
	case "schema":
		return nil
	case "cmdline":
		line, ok := value.(string)
		if !ok {
			return fmt.Errorf("%w: cmdline: expected a string", ErrConfig)
		}
		return c.ParseCmdline(line, source+" cmdline")
	}
	k, ok := lookup(key)
	if !ok {
		return unknown(key)
	}
	values, err := tomlValues(k, value)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrConfig, key, err)
	}
	return c.assign(key, values, source)
}

// tomlValues turns a TOML value of the type the key wants into strings.
func tomlValues(k key, value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		if !k.list && !k.flag && !k.number {
			return []string{v}, nil
		}
	case bool:
		if k.flag {
			return []string{strconv.FormatBool(v)}, nil
		}
	case int64:
		if k.number {
			return []string{strconv.FormatInt(v, 10)}, nil
		}
	case []any:
		if k.list && !k.pairs {
			return stringList(v)
		}
	case map[string]any:
		if k.pairs {
			return pairList(v)
		}
	}
	return nil, fmt.Errorf("expected %s, got %v", k.wants(), value)
}

func (k key) wants() string {
	switch {
	case k.pairs:
		return `a table of "PREFIX" = ["LOCATION"]`
	case k.list:
		return "an array of strings"
	case k.flag:
		return "true or false"
	case k.number:
		return "a number"
	}
	return "a string"
}

func stringList(v []any) ([]string, error) {
	out := make([]string, 0, len(v))
	for _, e := range v {
		s, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("expected an array of strings, got the element %v", e)
		}
		out = append(out, s)
	}
	return out, nil
}

func pairList(v map[string]any) ([]string, error) {
	var out []string
	for _, prefix := range sortedKeys(v) {
		locations, ok := v[prefix].([]any)
		if !ok {
			return nil, fmt.Errorf("%q: expected an array of strings, got %v", prefix, v[prefix])
		}
		list, err := stringList(locations)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			out = append(out, prefix+"="+l)
		}
	}
	return out, nil
}

// ParseCmdline applies the slipway.* words of a kernel command line to c and
// leaves all others alone. A list key may be repeated, or hold several values
// with commas between them (kargs: spaces, in quotes); its first word replaces
// what weaker sources said.
func (c *Config) ParseCmdline(line, source string) error {
	lists := map[string][]string{}
	for _, arg := range kexecer.Split(line) {
		if arg == "--" {
			break
		}
		name, value, hasValue := kexecer.Param(arg)
		name, ok := strings.CutPrefix(name, cmdlinePrefix)
		if !ok {
			continue
		}
		name = strings.ReplaceAll(name, "_", "-")
		k, known := lookup(name)
		if !known {
			return fmt.Errorf("%s: %w", source, unknown(name))
		}
		values := []string{value}
		switch {
		case k.flag && !hasValue:
			values = []string{"true"}
		case k.list:
			lists[name] = append(lists[name], strings.Split(value, k.sep)...)
			values = lists[name]
		}
		if err := c.assign(name, values, source); err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
	}
	return nil
}

// lineOf finds the line on which key is first set; 0 if it is nowhere.
func lineOf(src []byte, key string) int {
	for i, line := range strings.Split(string(src), "\n") {
		line = strings.TrimLeft(line, " \t[")
		line = strings.TrimPrefix(strings.TrimPrefix(line, `"`), `'`)
		if rest, ok := strings.CutPrefix(line, key); ok && strings.ContainsAny(firstByte(rest), "= \t]\"'.") {
			return i + 1
		}
	}
	return 0
}

func firstByte(s string) string {
	if s == "" {
		return "\x00"
	}
	return s[:1]
}

func sortedKeys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Parse reads one slipway.toml on its own, as the payload builder does: on
// top of the defaults, and validated.
func Parse(src []byte, name string) (*Config, error) {
	c := Defaults()
	if err := c.ParseTOML(src, name); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}
