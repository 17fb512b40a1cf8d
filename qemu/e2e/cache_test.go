//go:build vm || firmware

package e2e

import (
	"os"
	"path/filepath"
)

// cacheDir is where the lab keeps what it downloaded and built, the same for
// tests and demo.
func cacheDir() (string, error) {
	if dir := os.Getenv("SLIPWAY_CACHE"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "slipway"), err
}
