package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// source is a module with one package for each way a tier can end.
var source = map[string]string{
	"go.mod": "module example\n\ngo 1.26\n",
	"good/a_test.go": `package a
import "testing"
func TestA(t *testing.T) {}
func TestB(t *testing.T) { t.Run("one", func(t *testing.T) {}); t.Run("two", func(t *testing.T) {}) }
`,
	"bad/a_test.go": `package a
import "testing"
func TestA(t *testing.T) {}
func TestBad(t *testing.T) { t.Log("first line"); t.Run("sub", func(t *testing.T) { t.Error("the reason") }) }
`,
	"parent/a_test.go": `package a
import "testing"
func TestParent(t *testing.T) { t.Run("sub", func(t *testing.T) {}); t.Error("only the parent") }
`,
	"nobuild/a_test.go": `package a
import "testing"
func TestA(t *testing.T) { undefined() }
`,
	"skip/a_test.go": `package a
import "testing"
func TestA(t *testing.T) {}
func TestSkip(t *testing.T) { t.Skip("no such tool") }
func TestDeep(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Skip("deep down") }) }
`,
	"empty/a.go": "package a\n",
	"panics/a_test.go": `package a
import "testing"
func TestA(t *testing.T) {}
func TestPanic(t *testing.T) { panic("out of order") }
func TestNever(t *testing.T) {}
`,
	"exits/a_test.go": `package a
import ("os"; "testing")
func TestA(t *testing.T) {}
func TestMain(m *testing.M) { m.Run(); os.Exit(3) }
`,
	"quits/a_test.go": `package a
import ("os"; "testing")
func TestQuit(t *testing.T) { os.Exit(0) }
`,
	"hangs/a_test.go": `package a
import "testing"
func TestHang(t *testing.T) { select {} }
`,
	"tagged/a_test.go": `package a
import "testing"
func TestPlain(t *testing.T) { t.Error("belongs to another tier") }
`,
	"tagged/vm_test.go": `//go:build vm
package a
import "testing"
func TestVM(t *testing.T) {}
`,
	"early/vm_test.go": `//go:build vm
package a
import ("os"; "testing")
func TestFirst(t *testing.T) {}
func TestSecond(t *testing.T) {}
func TestMain(m *testing.M) { os.Exit(0) }
`,
}

func writeModule(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range source {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTiers(t *testing.T) {
	dir := writeModule(t)
	for _, c := range []struct {
		name, tags     string
		packages       []string
		passed, failed int
		shows          []string
	}{
		{"good", "", []string{"./good"}, 3, 0, []string{"example/good (3 tests)"}},
		{"failure", "", []string{"./bad", "./good"}, 4, 1, []string{"first line", "the reason", "-run '^TestBad$' example/bad"}},
		{"parent", "", []string{"./parent"}, 1, 1, []string{"only the parent"}},
		{"build", "", []string{"./nobuild", "./good"}, 3, 1, []string{"undefined: undefined"}},
		{"skip", "", []string{"./skip"}, 1, 2, []string{"no such tool", "deep down", "SKIP"}},
		{"nothing", "", []string{"./empty"}, 0, 1, []string{"no test ran"}},
		{"missing", "", []string{"./nowhere"}, 0, 1, []string{"nowhere"}},
		{"panic", "", []string{"./panics"}, 1, 1, []string{"out of order"}},
		{"exit", "", []string{"./exits"}, 1, 1, []string{"example/exits"}},
		{"quit", "", []string{"./quits"}, 0, 1, []string{"TestQuit"}},
		{"timeout", "", []string{"./hangs"}, 0, 1, []string{"test timed out after 1s"}},
		{"tag", "vm", []string{"./tagged"}, 1, 0, nil},
		{"did not run", "vm", []string{"./early"}, 0, 2, []string{"TestFirst did not run", "TestSecond did not run"}},
		{"no such tag", "other", []string{"./..."}, 0, 1, []string{"no test has the build tag other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			timeout := "-timeout=2m"
			if c.name == "timeout" {
				timeout = "-timeout=1s"
			}
			tier := tier{name: "unit", tags: c.tags, packages: c.packages, flags: []string{timeout, "-vet=off"}, dir: dir}
			sum := tier.run(t.Context(), &out)
			status := conclude(&out, []summary{sum})
			if sum.passed != c.passed || sum.failed != c.failed || (status == 0) != (c.failed == 0) {
				t.Errorf("expected %d passed, %d failed, got %d and %d, status %d", c.passed, c.failed, sum.passed, sum.failed, status)
			}
			for _, want := range c.shows {
				if !strings.Contains(out.String(), want) {
					t.Errorf("expected %q in the output", want)
				}
			}
			if t.Failed() {
				t.Log(out.String())
			}
		})
	}
}

// TestBeat: only tests that are really running are named.
func TestBeat(t *testing.T) {
	var out bytes.Buffer
	c := newCollector(&out, "vm")
	for _, e := range []event{
		{Action: "run", Package: "x", Test: "TestRuns"}, {Action: "run", Package: "x", Test: "TestWaits"}, {Action: "run", Package: "x", Test: "TestDone"},
		{Action: "pause", Package: "x", Test: "TestWaits"}, {Action: "pass", Package: "x", Test: "TestDone"},
	} {
		c.add(e)
	}
	for _, r := range c.programs["x"].tests {
		r.began = r.began.Add(-2 * longTest)
	}
	c.beat()
	if got := out.String(); !strings.Contains(got, "TestRuns is running") || strings.Count(got, "\n") != 1 {
		t.Errorf("expected TestRuns only, got\n%s", got)
	}
	c.add(event{Action: "cont", Package: "x", Test: "TestWaits"})
	if c.programs["x"].tests["TestWaits"].waiting {
		t.Error("expected TestWaits to go on")
	}
}

func TestLastLine(t *testing.T) {
	var out bytes.Buffer
	sums := []summary{{tier: "unit", passed: 40}, {tier: "vm", passed: 2, failed: 1, names: []string{"vm: x TestY"}}}
	if status := conclude(&out, sums); status != 1 {
		t.Errorf("expected status 1, got %d", status)
	}
	if !strings.HasSuffix(out.String(), "\n42 passed, 1 failed\n") {
		t.Errorf("expected the last line %q, got %q", "42 passed, 1 failed", out.String())
	}
}

func TestUsage(t *testing.T) {
	for _, names := range [][]string{nil, {"unit", "units"}} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), names, &stdout, &stderr); status != exitUsage || stdout.Len() > 0 {
			t.Errorf("%q: expected status %d and nothing run, got %d, %q", names, exitUsage, status, stdout.String())
		}
		if !strings.Contains(stderr.String(), "tier") {
			t.Errorf("%q: expected a message about tiers, got %q", names, stderr.String())
		}
	}
}
