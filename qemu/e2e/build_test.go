//go:build vm || firmware

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// makeBuild builds the programs with the project's own recipe, so that what is
// tested is what is shipped, and returns the path of one.
func makeBuild(ctx context.Context, name string) (string, error) {
	top, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "make", "-s", "-C", top, "build").CombinedOutput(); err != nil {
		return "", fmt.Errorf("make build: %w: %s", err, out)
	}
	return filepath.Join(top, "build", name), nil
}

// cacheDir is where the lab keeps what it downloaded and built, the same for
// tests and demo.
func cacheDir() (string, error) {
	if dir := os.Getenv("SLIPWAY_CACHE"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "slipway"), err
}
