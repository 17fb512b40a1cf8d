package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name     string
		findings []string
		note     string
		err      error
		well     bool
		want     string
	}{
		{"clean", nil, "", nil, true, "ok "},
		{"note", nil, "  a table", nil, true, "a table"},
		{"not checked", nil, notChecked + "no network", nil, true, "-- "},
		{"finding", []string{"a.go:1: bad"}, "", nil, false, "a.go:1: bad"},
		{"error", nil, "", errors.New("no such program"), false, "could not run: no such program"},
	} {
		var out bytes.Buffer
		s := step{c.name, func(context.Context) ([]string, string, error) { return c.findings, c.note, c.err }}
		if got := s.report(t.Context(), &out); got != c.well || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: expected %v and %q, got %v and %q", c.name, c.well, c.want, got, out.String())
		}
	}
}

func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		script   string
		findings int
		fails    bool
	}{
		{"echo fine", 0, false},
		{"echo one; echo; echo two >&2; exit 1", 2, false},
		{"exit 1", 0, true}, // it said nothing, so the status is all there is
	} {
		findings, _, err := command("sh", "-c", c.script)(t.Context())
		if len(findings) != c.findings || (err != nil) != c.fails {
			t.Errorf("%s: expected %d findings, got %q, %v", c.script, c.findings, findings, err)
		}
	}
	if _, _, err := command("no-such-program")(t.Context()); err == nil {
		t.Error("expected an error for a missing program")
	}
}

func TestUnknownStep(t *testing.T) {
	var out bytes.Buffer
	if status := run(t.Context(), []string{"gofmd"}, &out); status != 2 || !strings.Contains(out.String(), "gofmd") {
		t.Errorf("expected status 2, got %d, %q", status, out.String())
	}
}
