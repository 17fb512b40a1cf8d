package shape

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommandsAreDocumented asks the program itself, command by command.
func TestCommandsAreDocumented(t *testing.T) {
	const page = "docs/man/slipway.8.md"
	program := filepath.Join(t.TempDir(), "slipway")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, Module+"/cmd/slipway")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	manual := manual{page: page, sections: map[string]string{}}
	for _, part := range strings.Split("\n"+read(t, page), "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		manual.sections[title] = body
	}
	if n := manual.walk(t, program, nil); n < 8 {
		t.Errorf("expected at least 8 commands, got %d", n)
	}
}

// manual is a manual page by its headings.
type manual struct {
	page     string
	sections map[string]string
}

var (
	childLine = regexp.MustCompile(`(?m)^  ([a-z]+) `)
	flagLine  = regexp.MustCompile(`(?m)^ +(?:-., )?(--[a-z-]+)`)
	flagName  = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// walk goes through the commands below one, and returns how many there are.
func (m manual) walk(t *testing.T, program string, words []string) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, append(words, "--help")...).Output()
	if err != nil {
		t.Fatalf("slipway %s --help: %v", strings.Join(words, " "), err)
	}
	help, n := string(out), 0
	for _, child := range childLine.FindAllStringSubmatch(between(help, "Available Commands:", "\n\n"), -1) {
		if child[1] != "help" && child[1] != "completion" {
			n += m.walk(t, program, append(slices.Clone(words), child[1]))
		}
	}
	if n == 0 {
		m.compare(t, strings.Join(words, " "), help)
		n = 1
	}
	return n
}

// compare compares one command's help with its section, both ways.
func (m manual) compare(t *testing.T, name, help string) {
	t.Helper()
	section, ok := m.sections[name]
	if !ok {
		t.Errorf("%s has no section %q", m.page, name)
	}
	for _, flag := range flagName.FindAllString(section, -1) {
		if !strings.Contains(help, flag) {
			t.Errorf("%s: %s: the program knows no %s", m.page, name, flag)
		}
	}
	if shared := m.sections["Registry"]; strings.Contains(shared, "`"+name+"`") {
		section += shared
	}
	for _, flag := range flagLine.FindAllStringSubmatch(between(help, "\nFlags:", ""), -1) {
		if flag[1] != "--help" && !strings.Contains(section, flag[1]) {
			t.Errorf("%s: %s: no %s", m.page, name, flag[1])
		}
	}
}

// between returns what stands between two texts; "" as the end means all.
func between(s, start, end string) string {
	_, s, _ = strings.Cut(s, start)
	if end != "" {
		s, _, _ = strings.Cut(s, end)
	}
	return s
}
