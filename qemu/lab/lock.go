package lab

import (
	"crypto/sha256"
	_ "embed" // the lock file
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

//go:embed debian-trixie.lock
var lockText string

const (
	maxLockSize  = 1 << 20
	maxLockLines = 5000
)

const lockHeader = `# The Debian packages of the boot images that qemu/lab builds, one a line:
# package, version, architecture, SHA-256 of the .deb file.
#
# To refresh, run "make lock": it asks the mirror for the newest point release
# and rewrites this file. Do so when the lab warns that the mirror no longer
# has a locked version, run the tests, and commit the result.
`

// parseLock reads a lock file. Names must be sorted and unique.
func parseLock(text string) ([]debPackage, error) {
	if len(text) > maxLockSize {
		return nil, fmt.Errorf("lock: expected at most %d bytes, got %d", maxLockSize, len(text))
	}
	var list []debPackage
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 4 {
			return nil, fmt.Errorf("lock: line %d: expected package, version, architecture, sha256, got %q", n, line)
		}
		p := debPackage{Name: f[0], Version: f[1], Arch: f[2], SHA256: f[3]}
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("lock: line %d: %w", n, err)
		}
		if len(list) > 0 && list[len(list)-1].Name >= p.Name {
			return nil, fmt.Errorf("lock: line %d: %s: expected sorted, unique names", n, p.Name)
		}
		if list = append(list, p); len(list) > maxLockLines {
			return nil, fmt.Errorf("lock: expected at most %d packages", maxLockLines)
		}
	}
	return list, nil
}

// check allows what Debian policy does, because names and versions go into
// file names and command lines.
func (p debPackage) check() error {
	const digits, lower, upper = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	sum, err := hex.DecodeString(p.SHA256)
	switch {
	case !madeOf(p.Name, lower+digits, "+-."):
		return fmt.Errorf("bad package name %q", p.Name)
	case !madeOf(p.Version, digits, ".+-:~"+lower+upper):
		return fmt.Errorf("bad version %q", p.Version)
	case p.Arch != "amd64" && p.Arch != "all":
		return fmt.Errorf("expected architecture amd64 or all, got %q", p.Arch)
	case err != nil || len(sum) != sha256.Size:
		return fmt.Errorf("expected a SHA-256 in hexadecimal, got %q", p.SHA256)
	}
	return nil
}

// madeOf reports whether s starts with one of the characters in first and
// goes on with those or more.
func madeOf(s, first, more string) bool {
	return s != "" && strings.Contains(first, s[:1]) && strings.Trim(s, first+more) == ""
}

// formatLock is the inverse of parseLock.
func formatLock(list []debPackage) string {
	var b strings.Builder
	b.WriteString(lockHeader)
	for _, p := range slices.SortedFunc(slices.Values(list), byName) {
		fmt.Fprintf(&b, "%s %s %s %s\n", p.Name, p.Version, p.Arch, p.SHA256)
	}
	return b.String()
}

func byName(a, b debPackage) int { return strings.Compare(a.Name, b.Name) }

// diffLock says in words how got differs from the locked packages.
func diffLock(locked, got []debPackage) []string {
	old := make(map[string]debPackage, len(locked))
	for _, p := range locked {
		old[p.Name] = p
	}
	var notes []string
	for _, p := range got {
		was, ok := old[p.Name]
		delete(old, p.Name)
		switch {
		case !ok:
			notes = append(notes, fmt.Sprintf("%s: not locked, now %s", p.Name, p.Version))
		case was.Version != p.Version:
			notes = append(notes, fmt.Sprintf("%s: locked %s, now %s", p.Name, was.Version, p.Version))
		case was.SHA256 != p.SHA256:
			notes = append(notes, fmt.Sprintf("%s %s: locked sha256 %s, now %s", p.Name, p.Version, was.SHA256, p.SHA256))
		}
	}
	for _, p := range old {
		notes = append(notes, fmt.Sprintf("%s: locked %s, now gone", p.Name, p.Version))
	}
	slices.Sort(notes)
	return notes
}
