// Package sample builds payloads whose contents are of no account, for tools
// that measure or compare them. Start with [New], then call [Parts.Build].
package sample

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/qemu/lab"
)

// built is the time in the payloads: always the same.
const built = "SOURCE_DATE_EPOCH=1767225600"

const policyJSON = `{"default": [{"type": "reject"}], "transports": {"docker": {"registry.example": [{"type": "sigstoreSigned", "keyPath": "os.pub"}]}}}
`

const slipwayTOML = `schema = 1
reference = "registry.example/os/web:stable"
`

// Parts are the files that payloads are made of.
type Parts struct{ dir, kernel, ca string }

// New makes a key, a policy, a configuration and a CA in dir, with the given
// slipway program, and unpacks the kernel of the host's Debian release into
// the cache that demo and tests use.
func New(ctx context.Context, dir, slipway string, progress io.Writer) (*Parts, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	l := &lab.Lab{Cache: cache, Progress: func(line string) { fmt.Fprintln(progress, line) }}
	kernel, err := l.HostKernel(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"policy.json": policyJSON, "slipway.toml": slipwayTOML} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	ca, err := lab.NewCA(dir, time.Now(), time.Now().AddDate(1, 0, 0))
	if err != nil {
		return nil, err
	}
	_, err = Run(ctx, []string{"SLIPWAY_PASSWORD=sample"}, slipway, "keygen", "--output", filepath.Join(dir, "os"))
	return &Parts{dir, kernel.Tree, ca.File}, err
}

// Build makes a payload with a slipway program and the loader beside it, and
// returns what the program says of it, as JSON (pack.Result).
func (p *Parts) Build(ctx context.Context, slipway, format, output string) ([]byte, error) {
	return Run(ctx, []string{built}, slipway, "payload", "build", "--json",
		"--format", format, "--output", output, "--kernel-tree", p.kernel,
		"--policy", filepath.Join(p.dir, "policy.json"), "--config", filepath.Join(p.dir, "slipway.toml"), "--ca", p.ca)
}

// Run runs a program with more environment and returns its output. The error
// holds what it wrote to standard error.
func Run(ctx context.Context, env []string, program string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args[:min(2, len(args))], " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

func cacheDir() (string, error) {
	if dir := os.Getenv("SLIPWAY_CACHE"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "slipway"), err
}
