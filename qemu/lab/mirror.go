package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// source is one repository of the host: deb URI SUITE COMPONENTS.
type source struct {
	uri, suite string
	components []string
}

// archive is where a host takes Debian from.
type archive struct {
	codename string // the host's release, like bookworm
	main     string // URI of the archive with the suite `codename`
	security string // URI of the suite codename-security, or ""
}

const maxSourceFile = 1 << 20

// hostArchive reads the release and the mirror from a host's own files, so
// that no mirror has to be named here and a local one is used.
func hostArchive(root fs.FS) (archive, error) {
	codename, err := hostCodename(root)
	if err != nil {
		return archive{}, err
	}
	sources, err := hostSources(root)
	if err != nil {
		return archive{}, err
	}
	a := archive{codename: codename}
	a.main = pickURI(sources, codename, "debian")
	a.security = pickURI(sources, codename+"-security", "debian-security")
	if a.main == "" {
		return archive{}, fmt.Errorf("apt: %w: no source with suite %s and component main below /etc/apt", ErrHost, codename)
	}
	return a, nil
}

// hostCodename reads os-release.
func hostCodename(root fs.FS) (string, error) {
	text, err := fs.ReadFile(root, "etc/os-release")
	if err != nil {
		return "", fmt.Errorf("os-release: %w", err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			fields[k] = strings.Trim(v, `"'`)
		}
	}
	if fields["ID"] != "debian" || fields["VERSION_CODENAME"] == "" {
		return "", fmt.Errorf("os-release: %w: ID=%q VERSION_CODENAME=%q", ErrHost, fields["ID"], fields["VERSION_CODENAME"])
	}
	return fields["VERSION_CODENAME"], nil
}

// hostSources lists what apt on the host reads, in apt's order.
func hostSources(root fs.FS) ([]source, error) {
	names := []string{"etc/apt/sources.list"}
	for _, ext := range []string{"list", "sources"} {
		more, err := fs.Glob(root, "etc/apt/sources.list.d/*."+ext)
		if err != nil {
			return nil, fmt.Errorf("apt: %w", err)
		}
		slices.Sort(more)
		names = append(names, more...)
	}
	var all []source
	for _, name := range names {
		text, err := fs.ReadFile(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("apt: %w", err)
		}
		if len(text) > maxSourceFile {
			return nil, fmt.Errorf("apt: %s: expected at most %d bytes, got %d", name, maxSourceFile, len(text))
		}
		if path.Ext(name) == ".list" {
			all = append(all, parseOneLine(string(text))...)
			continue
		}
		more, err := parseSources(string(text))
		if err != nil {
			return nil, fmt.Errorf("apt: %s: %w", name, err)
		}
		all = append(all, more...)
	}
	return all, nil
}

// parseOneLine reads the format of sources.list. Lines that are not
// understood are not ours to judge and are left out.
func parseOneLine(text string) []source {
	var all []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		rest, ok := strings.CutPrefix(line, "deb ")
		if !ok {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, rest, _ = strings.Cut(rest, "]")
		}
		if f := strings.Fields(rest); len(f) >= 3 {
			all = append(all, source{uri: f[0], suite: f[1], components: f[2:]})
		}
	}
	return all
}

// parseSources reads the deb822 format of .sources files.
func parseSources(text string) ([]source, error) {
	paragraphs, err := parseDeb822(text)
	if err != nil {
		return nil, err
	}
	var all []source
	for _, p := range paragraphs {
		if !slices.Contains(strings.Fields(p["types"]), "deb") || strings.EqualFold(p["enabled"], "no") {
			continue
		}
		for _, uri := range strings.Fields(p["uris"]) {
			for _, suite := range strings.Fields(p["suites"]) {
				all = append(all, source{uri, suite, strings.Fields(p["components"])})
			}
		}
	}
	return all, nil
}

// pickURI returns the first archive with the suite's main component. Others
// than Debian publish suites under Debian's names too, so a path that ends in
// Debian's own directory name (debian, debian.list) goes first.
func pickURI(all []source, suite, dir string) string {
	first := ""
	for _, s := range all {
		if s.suite != suite || !slices.Contains(s.components, "main") || strings.HasPrefix(s.uri, "cdrom:") {
			continue
		}
		base := path.Base(strings.TrimRight(s.uri, "/"))
		if strings.TrimSuffix(base, ".list") == dir {
			return s.uri
		}
		if first == "" {
			first = s.uri
		}
	}
	return first
}
