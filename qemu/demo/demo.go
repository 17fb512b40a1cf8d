package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/payload"
	"github.com/slipway-boot/slipway/payload/pack"
	"github.com/slipway-boot/slipway/qemu"
	"github.com/slipway-boot/slipway/qemu/lab"
)

// Options says where and how to run the demo.
type Options struct {
	Program     string    // the slipway program to run
	Dir         string    // what the demo makes, kept afterwards
	Cache       string    // downloads and built images, shared with the tests
	MemoryMiB   int       // of the machine; zero means DefaultMemoryMiB
	Root        string    // slipway.root; empty means auto
	Interactive bool      // leave the console to the user
	Out         io.Writer // progress and summary
}

// DefaultMemoryMiB is enough for the demo image with some room.
const DefaultMemoryMiB = 2048

// Names of the demo's image. The registry's name is a logical one: mirrors
// say where it is, for the guest and for the workstation.
const (
	registryName = "registry.slipway.test"
	repository   = "os/debian"
	tag          = "demo"
	// Reference is what the demo boots.
	Reference = registryName + "/" + repository + ":" + tag
)

// demoPassword protects the demo's throw-away key. It protects nothing: a
// payload built with that key says so on every boot.
const demoPassword = "demo"

// Summary is what a demo run found.
type Summary struct {
	Plan    payload.Plan
	Report  report.Report
	Proof   Proof
	Steps   []report.Step // all seven, as the console showed them
	Payload string        // file booted
	Console string        // file with the console's text
	Boot    string        // file with boot.json
	Seconds float64       // from power-on to the proof
}

// run is the state of one demo.
type run struct {
	Options
	lab      *lab.Lab
	registry *lab.Registry
	start    time.Time
}

// Run builds, boots and checks. The Summary is also printed. It returns an
// error unless the booted system itself proved to be the signed image; with
// Interactive it returns when the machine ends.
func Run(ctx context.Context, o Options) (*Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{Options: o, start: time.Now()}
	r.lab = &lab.Lab{Cache: o.Cache, Progress: func(line string) { r.say("%s", line) }}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{r.packages, r.image, r.keys, r.payload} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	plan, err := r.plan(ctx)
	if err != nil {
		return nil, err
	}
	if o.Interactive {
		return nil, r.interact(ctx)
	}
	s, err := r.boot(ctx, plan)
	if err != nil {
		return nil, err
	}
	s.print(o.Out, time.Since(r.start))
	return s, s.check()
}

func (r *run) say(format string, args ...any) {
	fmt.Fprintf(r.Out, "demo: %5.1f s  %s\n", time.Since(r.start).Seconds(), fmt.Sprintf(format, args...))
}

func (r *run) path(name string) string { return filepath.Join(r.Dir, name) }

// packages installs the Debian packages the demo needs.
func (r *run) packages(ctx context.Context) error {
	var names []string
	for _, p := range lab.HostPackages() {
		if !p.Test {
			names = append(names, p.Name)
		}
	}
	installed, err := r.lab.EnsurePackages(ctx, names...)
	if err != nil {
		return err
	}
	if len(installed) > 0 {
		r.say("installed Debian packages: %s", strings.Join(installed, " "))
	}
	return nil
}

// image builds the boot image and pushes it to a registry of its own.
func (r *run) image(ctx context.Context) error {
	image, err := r.lab.DebianImage(ctx)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	ca, err := lab.NewCA(r.Dir, time.Now().Add(-24*time.Hour), time.Now().AddDate(1, 0, 0))
	if err != nil {
		return err
	}
	if r.registry, err = r.lab.StartRegistry(ctx, r.path("registry"), ca, registryName); err != nil {
		return err
	}
	r.say("registry: docker-registry on https://%s", r.registry.Addr())
	digest, err := r.registry.Push(ctx, repository, tag, image)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	r.say("pushed %s@%s", Reference, digest)
	return nil
}

// keys makes the signing key if there is none yet, writes the policy and the
// configuration, and signs the image.
func (r *run) keys(ctx context.Context) error {
	if _, err := os.Stat(r.path("demo.key")); errors.Is(err, os.ErrNotExist) {
		if err := r.slipway(ctx, nil, "keygen", "--output", r.path("demo")); err != nil {
			return err
		}
	}
	conf := fmt.Sprintf(slipwayTOML, Reference, or(r.Root, "auto"), registryName, r.registry.GuestAddr())
	for name, text := range map[string]string{
		"policy.json":      policyJSON,
		"boot-policy.toml": bootPolicyTOML,
		"slipway.toml":     conf,
	} {
		if err := os.WriteFile(r.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return r.slipway(ctx, nil, "sign", r.registry.Addr()+"/"+repository+":"+tag, "--ca", r.registry.CAFile(), "--key", r.path("demo.key"),
		"--identity", registryName+"/"+repository, "--annotation", "epoch=1", "--annotation", "ref="+Reference)
}

// connect are the flags that let the workstation reach the registry.
func (r *run) connect() []string {
	return []string{"--ca", r.registry.CAFile(), "--mirror", registryName + "=" + r.registry.Addr()}
}

// payload builds the disk image that is booted.
func (r *run) payload(ctx context.Context) error {
	kernel, err := r.lab.HostKernel(ctx)
	if err != nil {
		return fmt.Errorf("payload kernel: %w", err)
	}
	return r.slipway(ctx, nil, "payload", "build", "--format", "disk", "--output", r.path("payload.img"),
		"--kernel-tree", kernel.Tree, "--cmdline", pack.DefaultCmdline+" "+qemu.NoTimerCheck,
		"--policy", r.path("policy.json"), "--config", r.path("slipway.toml"), "--ca", r.registry.CAFile(), "--demo")
}

// plan asks the workstation's slipway what the machine is going to do.
func (r *run) plan(ctx context.Context) (*payload.Plan, error) {
	var out bytes.Buffer
	args := append([]string{"plan", Reference, "--json", "--policy", r.path("policy.json"), "--config", r.path("slipway.toml")}, r.connect()...)
	if err := r.slipway(ctx, &out, args...); err != nil {
		return nil, err
	}
	var p payload.Plan
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return &p, os.WriteFile(r.path("plan.json"), out.Bytes(), 0o644)
}

// slipway runs the real program. Its output goes to the user, or to out.
func (r *run) slipway(ctx context.Context, out io.Writer, args ...string) error {
	r.say("$ slipway %s", shellWords(args))
	cmd := exec.CommandContext(ctx, r.Program, args...)
	cmd.Env = append(os.Environ(), "SLIPWAY_PASSWORD="+demoPassword)
	cmd.Stdout, cmd.Stderr = out, r.Out
	if out == nil {
		cmd.Stdout = &indent{w: r.Out}
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("slipway %s: %w", args[0], err)
	}
	return nil
}

// shellWords joins arguments as a person would type them.
func shellWords(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if strings.ContainsAny(a, " \t\"'$") {
			words[i] = strconv.Quote(a)
		}
	}
	return strings.Join(words, " ")
}

// indent sets a program's lines off from the demo's own.
type indent struct {
	w   io.Writer
	mid bool
}

func (i *indent) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if !i.mid {
			io.WriteString(i.w, "              ")
		}
		i.w.Write(line)
		i.mid = !bytes.HasSuffix(line, []byte("\n"))
	}
	return len(p), nil
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
