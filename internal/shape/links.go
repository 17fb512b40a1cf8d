package shape

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

var (
	linkTarget = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading    = regexp.MustCompile(`^#{1,6} +(.*)$`)
	notInSlug  = regexp.MustCompile(`[^a-z0-9 _-]+`)
)

// DeadLinks returns the relative links in a tree's Markdown files that lead to
// no file, or to no heading of one. files are the names to look at.
func DeadLinks(tree fs.FS, files []string) ([]Finding, error) {
	var out []Finding
	for _, name := range files {
		if path.Ext(name) != ".md" {
			continue
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		for i, line := range proseLines(string(text)) {
			for _, m := range linkTarget.FindAllStringSubmatch(line, -1) {
				if why := deadLink(tree, name, m[1]); why != "" {
					out = append(out, found(position(name, i+1), "link %s: %s", m[1], why))
				}
			}
		}
	}
	return out, nil
}

// deadLink says why a link leads nowhere, "" if it does not.
func deadLink(tree fs.FS, from, target string) string {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return ""
	}
	file, anchor, _ := strings.Cut(target, "#")
	to := from
	if file != "" {
		to = path.Join(path.Dir(from), file)
	}
	if !fs.ValidPath(to) {
		return "leads out of the repository"
	}
	info, err := fs.Stat(tree, to)
	if err != nil {
		return "no such file"
	}
	if anchor == "" || info.IsDir() || path.Ext(to) != ".md" {
		return ""
	}
	text, err := fs.ReadFile(tree, to)
	if err != nil {
		return err.Error()
	}
	for _, line := range proseLines(string(text)) {
		if m := heading.FindStringSubmatch(line); m != nil && slug(m[1]) == anchor {
			return ""
		}
	}
	return "no such heading"
}

// slug is the anchor that a heading gets where Markdown is shown.
func slug(title string) string {
	return strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")
}

// proseLines returns a text's lines, with those of code blocks empty.
func proseLines(text string) []string {
	lines := strings.Split(text, "\n")
	code := false
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if code || fence {
			lines[i] = ""
		}
		if fence {
			code = !code
		}
	}
	return lines
}

func position(name string, line int) string { return fmt.Sprintf("%s:%d", name, line) }
