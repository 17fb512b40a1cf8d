package main

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// event is one line of go test -json (go doc test2json, go help buildjson).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output and build-fail
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// result is what is known of one test or subtest.
type result struct {
	began   time.Time // or went on after waiting for its turn
	waiting bool      // for other parallel tests
	state   string    // "", pass, fail or skip
	seconds float64
	parent  bool // has subtests, which count in its place
}

// program is what is known of one package's test program.
type program struct {
	tests  map[string]*result
	output map[string][]string // by top-level test; "" is the program's own
	ended  bool
}

// collector turns events into lines for people and a summary.
type collector struct {
	out  io.Writer
	tier string

	mu       sync.Mutex
	programs map[string]*program
	builds   map[string][]string
	sum      summary
}

// longTest is how long a test takes to get a line of its own.
const longTest = 5 * time.Second

func newCollector(out io.Writer, tier string) *collector {
	return &collector{out: out, tier: tier, programs: map[string]*program{}, builds: map[string][]string{}, sum: summary{tier: tier}}
}

// add takes the next event.
func (c *collector) add(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Action == "build-output" {
		c.builds[e.ImportPath] = append(c.builds[e.ImportPath], e.Output)
	}
	if e.Package == "" {
		return
	}
	p := c.programs[e.Package]
	if p == nil {
		p = &program{tests: map[string]*result{}, output: map[string][]string{}}
		c.programs[e.Package] = p
	}
	switch e.Action {
	case "run":
		p.begin(e.Test)
	case "pause", "cont":
		if r := p.tests[e.Test]; r != nil {
			r.waiting, r.began = e.Action == "pause", time.Now()
		}
	case "output":
		top := topLevel(e.Test)
		p.output[top] = append(p.output[top], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			c.endProgram(e, p)
		} else {
			c.endTest(e, p)
		}
	}
}

func (p *program) begin(name string) *result {
	r := &result{began: time.Now()}
	p.tests[name] = r
	if i := strings.LastIndexByte(name, '/'); i >= 0 && p.tests[name[:i]] != nil {
		p.tests[name[:i]].parent = true
	}
	return r
}

// topLevel returns the test that a subtest belongs to.
func topLevel(name string) string {
	top, _, _ := strings.Cut(name, "/")
	return top
}

// endTest notes how a test ended. A top-level test that did not simply pass
// is shown at once, with everything that it and its subtests printed.
func (c *collector) endTest(e event, p *program) {
	r := p.tests[e.Test]
	if r == nil {
		r = p.begin(e.Test)
	}
	r.state, r.seconds = e.Action, e.Elapsed
	if e.Test != topLevel(e.Test) {
		return
	}
	c.sum.times = append(c.sum.times, timing{test{e.Package, e.Test}, e.Elapsed})
	verdict := p.verdict(e.Test)
	if verdict != "ok" {
		c.showFailure(e.Package, e.Test, verdict, p)
	} else if e.Elapsed >= longTest.Seconds() {
		c.line(verdict, e.Package+" "+e.Test, e.Elapsed)
	}
	delete(p.output, e.Test)
}

// verdict sums up a test and its subtests.
func (p *program) verdict(top string) string {
	verdict := "ok"
	for name, r := range p.tests {
		if topLevel(name) != top {
			continue
		}
		if r.state == "skip" && verdict == "ok" {
			verdict = "SKIP"
		}
		if r.state != "pass" && r.state != "skip" {
			verdict = "FAIL"
		}
	}
	return verdict
}

func (c *collector) showFailure(pkg, name, verdict string, p *program) {
	c.line(verdict, pkg+" "+name, p.tests[name].seconds)
	for _, text := range p.output[name] {
		fmt.Fprint(c.out, "    "+text)
	}
	if verdict == "SKIP" {
		fmt.Fprintln(c.out, "    a skipped test counts as failed")
	}
	fmt.Fprintf(c.out, "    repeat: %s\n", c.repeat(pkg, name))
}

// repeat is the command that runs one test again.
func (c *collector) repeat(pkg, name string) string {
	tags := ""
	if t, ok := lookup(c.tier); ok && t.tags != "" {
		tags = " -tags " + t.tags
	}
	return fmt.Sprintf("go test%s -count=1 -v -run '^%s$' %s", tags, name, pkg)
}

// endProgram counts a package's tests when its program has ended.
func (c *collector) endProgram(e event, p *program) {
	p.ended = true
	failed := c.sum.failed
	for _, name := range sortedKeys(p.tests) {
		c.count(e.Package, name, p)
	}
	if e.Action == "fail" {
		c.showProgram(e, p, c.sum.failed == failed)
	} else if len(p.tests) > 0 {
		verdict := "ok"
		if c.sum.failed > failed {
			verdict = "SKIP"
		}
		c.line(verdict, fmt.Sprintf("%s (%d tests)", e.Package, p.leaves()), e.Elapsed)
	}
}

// count counts one test. A test with subtests counts only if it failed by
// itself.
func (c *collector) count(pkg, name string, p *program) {
	r := p.tests[name]
	if r.state == "" { // it was running when the program died
		r.state, r.seconds = "fail", time.Since(r.began).Seconds()
		if name == topLevel(name) {
			c.showFailure(pkg, name, "FAIL", p)
			fmt.Fprintln(c.out, "    the test never finished")
		}
	}
	switch {
	case r.parent && (r.state == "pass" || p.childFailed(name)):
	case r.state == "pass":
		c.sum.passed++
	default:
		c.sum.fail(pkg + " " + name)
	}
}

func (p *program) childFailed(name string) bool {
	for child, r := range p.tests {
		if strings.HasPrefix(child, name+"/") && r.state != "pass" {
			return true
		}
	}
	return false
}

// leaves is the number of tests that count.
func (p *program) leaves() int {
	n := 0
	for _, r := range p.tests {
		if !r.parent {
			n++
		}
	}
	return n
}

// showProgram shows why a package failed beyond its tests; counted says that
// none of them did.
func (c *collector) showProgram(e event, p *program, counted bool) {
	if counted {
		c.sum.fail(e.Package)
	}
	c.line("FAIL", e.Package, e.Elapsed)
	for _, text := range slices.Concat(c.builds[e.FailedBuild], p.output[""]) {
		fmt.Fprint(c.out, "    "+text)
	}
}

func (c *collector) line(verdict, what string, seconds float64) {
	fmt.Fprintf(c.out, "%-5s %-8s %-70s %7.1f s\n", verdict, c.tier, shorten(what), seconds)
}

// shorten leaves out the module's name, which is the same everywhere.
func shorten(name string) string {
	const module = "github.com/slipway-boot/slipway/"
	return strings.TrimPrefix(name, module)
}

// beat says what has been running for long.
func (c *collector) beat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pkg := range sortedKeys(c.programs) {
		for _, name := range sortedKeys(c.programs[pkg].tests) {
			r := c.programs[pkg].tests[name]
			if age := time.Since(r.began); r.state == "" && !r.waiting && name == topLevel(name) && age >= longTest {
				c.line("...", path.Base(pkg)+" "+name+" is running", age.Seconds())
			}
		}
	}
}
