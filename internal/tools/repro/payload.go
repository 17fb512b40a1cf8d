package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/slipway-boot/slipway/qemu/lab"
)

// payloads are what each copy's slipway makes of the same parts.
var payloads = []struct{ format, file string }{
	{"uki", "build/payload.efi"},
	{"disk", "build/payload.img"},
}

// built is the time in the payloads: the same for both, and any.
const built = "SOURCE_DATE_EPOCH=1767225600"

const policyJSON = `{"default": [{"type": "reject"}], "transports": {"docker": {"registry.example": [{"type": "sigstoreSigned", "keyPath": "os.pub"}]}}}
`

const slipwayTOML = `schema = 1
reference = "registry.example/os/web:stable"
`

// parts are the files that both payloads are made of.
type parts struct{ dir, kernel, ca string }

// newParts makes a key, a policy, a configuration and a CA, and unpacks the
// kernel of the host's Debian release.
func newParts(ctx context.Context, dir, slipway string, progress io.Writer) (*parts, error) {
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
	p := &parts{dir, kernel.Tree, ca.File}
	return p, run1(ctx, []string{"SLIPWAY_PASSWORD=repro"}, slipway, "keygen", "--output", filepath.Join(dir, "os"))
}

// build makes the payloads with the programs of one copy.
func (p *parts) build(ctx context.Context, copied string) error {
	for _, b := range payloads {
		err := run1(ctx, []string{built}, filepath.Join(copied, "build/slipway"), "payload", "build",
			"--format", b.format, "--output", filepath.Join(copied, b.file), "--kernel-tree", p.kernel,
			"--policy", filepath.Join(p.dir, "policy.json"), "--config", filepath.Join(p.dir, "slipway.toml"),
			"--ca", p.ca)
		if err != nil {
			return err
		}
	}
	return nil
}

// run1 runs a program quietly, unless it fails.
func run1(ctx context.Context, env []string, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), args[0], err, text)
	}
	return nil
}

// cacheDir is the one that demo and tests use.
func cacheDir() (string, error) {
	if dir := os.Getenv("SLIPWAY_CACHE"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "slipway"), err
}
