package lab

import (
	"errors"
	"fmt"
	"strings"
)

// paragraph is one block of "Field: value" lines as Debian writes them in
// .sources files, package lists and dpkg's status. Field names are lower
// case; continuation lines are joined with newlines.
type paragraph map[string]string

const maxDeb822 = 256 << 20 // bytes; a suite's whole package list has about 60 MB

// parseDeb822 splits text into paragraphs. Comment lines are dropped.
func parseDeb822(text string) ([]paragraph, error) {
	if len(text) > maxDeb822 {
		return nil, fmt.Errorf("deb822: expected at most %d bytes, got %d", maxDeb822, len(text))
	}
	var all []paragraph
	var p paragraph
	last, n := "", 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			p, last = nil, ""
		case line[0] == ' ' || line[0] == '\t':
			if last == "" {
				return nil, fmt.Errorf("deb822: line %d: %w", n, errors.New("continuation without a field"))
			}
			p[last] += "\n" + strings.TrimSpace(line)
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || name == "" {
				return nil, fmt.Errorf("deb822: line %d: expected \"Field: value\", got %q", n, line)
			}
			if p == nil {
				p = paragraph{}
				all = append(all, p)
			}
			last = strings.ToLower(strings.TrimSpace(name))
			p[last] = strings.TrimSpace(value)
		}
	}
	return all, nil
}

// firstDependency is the name of the first package in a Depends field:
// a metapackage's only content.
func firstDependency(depends string) string {
	name := strings.TrimLeft(depends, " \n")
	if i := strings.IndexAny(name, " ,(|:\n"); i >= 0 {
		name = name[:i]
	}
	return name
}
