package sample

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	out, err := Run(t.Context(), []string{"NAME=value"}, "sh", "-c", "echo $NAME")
	if err != nil || string(out) != "value\n" {
		t.Errorf("expected the output, got %q, %v", out, err)
	}
	if _, err := Run(t.Context(), nil, "sh", "-c", "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("expected an error with the reason, got %v", err)
	}
}
