package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	from, one, two := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(from, "build"), 0o755); err != nil {
		t.Fatal(err)
	}
	files := []string{"build/a", "b"}
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(from, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{one, two} {
		if err := copyFiles(from, to, files); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := compare(&out, one, two, files); err != nil || strings.Count(out.String(), "same") != 2 {
		t.Errorf("equal files: got %v\n%s", err, out.String())
	}
	if err := os.WriteFile(filepath.Join(two, "b"), []byte("B"), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := compare(&out, one, two, files); err == nil || !strings.Contains(out.String(), "DIFFERENT") || !strings.Contains(out.String(), "= 1 files") {
		t.Errorf("different files: got %v\n%s", err, out.String())
	}
	if err := compare(&out, one, two, []string{"missing"}); err == nil {
		t.Error("expected an error for a missing file")
	}
}
