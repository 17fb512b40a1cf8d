package main

import (
	"errors"
	"fmt"
	"strings"
)

// tier is a group of tests that need the same of the machine.
type tier struct {
	name     string
	tags     string // build tags; with any, only tests that need one of them run
	packages []string
	flags    []string // for go test
	root     bool     // the test programs want to be root
	dir      string   // where go runs; "" is the current directory
}

// tiers is the table of docs/testing.md. Virtual machines run one package at
// a time, because they share two cores and a cache.
var tiers = []tier{
	{name: "unit", packages: []string{"./..."}, flags: []string{"-timeout=5m"}},
	{name: "vm", tags: "vm,lab", packages: []string{"./qemu/..."}, flags: []string{"-p=1", "-timeout=40m"}, root: true},
	{name: "firmware", tags: "firmware", packages: []string{"./qemu/..."}, flags: []string{"-p=1", "-timeout=40m"}, root: true},
}

// pick returns the tiers with these names, in this order.
func pick(names []string) ([]tier, error) {
	if len(names) == 0 {
		return nil, errors.New("expected the name of a tier")
	}
	var out []tier
	for _, name := range names {
		t, ok := lookup(name)
		if !ok {
			var known []string
			for _, t := range tiers {
				known = append(known, t.name)
			}
			return nil, fmt.Errorf("expected one of the tiers %s, got %q", strings.Join(known, ", "), name)
		}
		out = append(out, t)
	}
	return out, nil
}

func lookup(name string) (tier, bool) {
	for _, t := range tiers {
		if t.name == name {
			return t, true
		}
	}
	return tier{}, false
}
