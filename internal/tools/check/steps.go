package main

import (
	"bytes"
	"context"
	"errors"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/slipway-boot/slipway/internal/shape"
)

// The analysers, at the versions this repository is known to be clean under.
const (
	staticcheck = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"
	govulncheck = "golang.org/x/vuln/cmd/govulncheck@v1.8.0"
)

// allTags are the build tags of the test tiers (docs/testing.md).
const allTags = "vm,lab,firmware"

// notChecked begins a note about a step that could not do its work.
const notChecked = "     not checked: "

// steps in the order in which a newcomer wants to hear of them.
var steps = []step{
	{"gofmt", gofmt},
	{"vet", command("go", "vet", "./...")},
	{"vet-tags", command("go", "vet", "-tags="+allTags, "./...")},
	{"staticcheck", command("go", "run", staticcheck, "-tags="+allTags, "./...")},
	{"govulncheck", vulnerabilities},
	{"tidy", command("go", "mod", "tidy", "-diff")},
	{"imports", imports},
	{"docs", undocumented},
	{"links", links},
	{"words", words},
	{"shape", figures},
}

// command is a step that runs a program, whose every line of output is a
// finding when it fails.
func command(args ...string) func(context.Context) ([]string, string, error) {
	return func(ctx context.Context) ([]string, string, error) {
		out, err := output(ctx, args...)
		return outcome(out, err)
	}
}

func output(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.Bytes(), err
}

// outcome turns a failed program's output into findings.
func outcome(out []byte, err error) ([]string, string, error) {
	var exit *exec.ExitError
	if err == nil {
		return nil, "", nil
	}
	if lines := nonEmpty(string(out)); errors.As(err, &exit) && len(lines) > 0 {
		return lines, "", nil
	}
	return nil, "", err
}

func nonEmpty(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// unreachable is what govulncheck says when it cannot get its database.
var unreachable = []string{"no such host", "dial tcp", "connection refused", "i/o timeout", "network is unreachable", "403 Forbidden", "Service Unavailable"}

// vulnerabilities runs govulncheck. Without its database on the network there
// is nothing to compare with, which is said and is no finding.
func vulnerabilities(ctx context.Context) ([]string, string, error) {
	out, err := output(ctx, "go", "run", govulncheck, "./...")
	if err != nil {
		for _, text := range unreachable {
			if bytes.Contains(out, []byte(text)) {
				return nil, notChecked + "the vulnerability database is not reachable from here", nil
			}
		}
	}
	return outcome(out, err)
}

func gofmt(ctx context.Context) ([]string, string, error) {
	files, err := shape.Tracked(ctx, ".")
	if err != nil {
		return nil, "", err
	}
	var out []string
	for _, name := range files {
		if filepath.Ext(name) != ".go" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, "", err
		}
		formatted, err := format.Source(text)
		if err != nil {
			out = append(out, name+": "+err.Error())
		} else if !bytes.Equal(text, formatted) {
			out = append(out, name+": run gofmt -w")
		}
	}
	return out, "", nil
}

func imports(ctx context.Context) ([]string, string, error) {
	packages, err := shape.List(ctx, ".")
	return texts(shape.Imports(packages)), "", err
}

func undocumented(context.Context) ([]string, string, error) {
	src, err := shape.Parse(os.DirFS("."))
	if err != nil {
		return nil, "", err
	}
	return texts(src.Undocumented()), "", nil
}

func links(ctx context.Context) ([]string, string, error) {
	files, err := shape.Tracked(ctx, ".")
	if err != nil {
		return nil, "", err
	}
	dead, err := shape.DeadLinks(os.DirFS("."), files)
	return texts(dead), "", err
}

func words(ctx context.Context) ([]string, string, error) {
	files, err := shape.Tracked(ctx, ".")
	if err != nil {
		return nil, "", err
	}
	var out []shape.Finding
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, "", err
		}
		out = append(out, shape.ForbiddenWords(name, text)...)
	}
	return texts(out), "", nil
}

func figures(context.Context) ([]string, string, error) {
	src, err := shape.Parse(os.DirFS("."))
	if err != nil {
		return nil, "", err
	}
	f, beyond := src.Measure()
	return texts(beyond), f.Table(), nil
}

func texts(findings []shape.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, f.String())
	}
	return out
}
