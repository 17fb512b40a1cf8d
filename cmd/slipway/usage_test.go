package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/version"
)

// everyCommand calls visit for each command, with its path as arguments.
func everyCommand(visit func(cmd *cobra.Command, path []string)) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		visit(cmd, strings.Fields(cmd.CommandPath())[1:])
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(command(streams{out: io.Discard, err: io.Discard}))
}

var longFlag = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)`)

func flagNames(cmd *cobra.Command) []string {
	var names []string
	for _, m := range longFlag.FindAllStringSubmatch(cmd.LocalFlags().FlagUsages(), -1) {
		names = append(names, m[1])
	}
	return names
}

func TestHelp(t *testing.T) {
	seen := 0
	everyCommand(func(cmd *cobra.Command, path []string) {
		seen++
		out := good(t, append(path, "--help")...)
		for _, want := range append(flagNames(cmd), "Usage:\n  "+cmd.CommandPath()) {
			if !strings.Contains(out, want) {
				t.Errorf("%s --help: expected %q, got\n%s", cmd.CommandPath(), want, out)
			}
		}
		if out != good(t, append([]string{"help"}, path...)...) {
			t.Errorf("help %s: expected the same as with --help", strings.Join(path, " "))
		}
	})
	if seen < 17 {
		t.Errorf("expected at least 17 commands, got %d", seen)
	}
	for _, args := range [][]string{nil, {"payload"}, {"completion"}} {
		if out := good(t, args...); !strings.Contains(out, "Available Commands:") {
			t.Errorf("slipway %q: expected help, got %s", args, out)
		}
	}
}

// TestManPage holds the manual to the program: a section for each command,
// with all of its flags.
func TestManPage(t *testing.T) {
	sections := map[string]string{}
	for _, part := range strings.Split(read(t, "../../docs/man/slipway.8.md"), "\n## ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		sections[title] = text
	}
	everyCommand(func(cmd *cobra.Command, path []string) {
		if cmd.HasSubCommands() || path[0] == "help" || path[0] == "completion" {
			return
		}
		name := strings.Join(path, " ")
		text, ok := sections[name]
		if !ok {
			t.Errorf("slipway(8) has no section %q", name)
		}
		if shared := sections["Registry"]; strings.Contains(shared, "`"+name+"`") {
			text += shared
		}
		for _, flag := range flagNames(cmd) {
			if flag != "help" && !regexp.MustCompile("--"+flag+"[^a-z-]").MatchString(text) {
				t.Errorf("slipway(8), %s: --%s is missing", name, flag)
			}
		}
	})
}

// TestJSONEverywhere: what answers something, answers in JSON too.
func TestJSONEverywhere(t *testing.T) {
	for _, path := range []string{"keygen", "sign", "verify", "plan", "pull", "policy check", "payload build", "payload inspect", "version"} {
		if out := good(t, append(strings.Fields(path), "--help")...); !strings.Contains(out, " --json ") {
			t.Errorf("%s has no --json", path)
		}
	}
}

func TestWrongCalls(t *testing.T) {
	unset(t)
	file := write(t, filepath.Join(t.TempDir(), "file"), "text")
	const ref = "registry.example/os/web:stable"
	for _, test := range []struct{ call, message, hint string }{
		{"bogus", `slipway: unknown command "bogus"`, `^see slipway --help`},
		{"keygne", `unknown command "keygne"`, `did you mean "keygen"\? see slipway --help`},
		{"payload biuld", `slipway payload: unknown command "biuld"`, `did you mean "build"\?`},
		{"help bogus", `unknown command "bogus"`, `see slipway --help`},
		{"help payload bogus", `slipway payload: unknown command "bogus"`, `see slipway payload --help`},
		{"completion tcsh", `unknown command "tcsh"`, `see slipway completion --help`},
		{"completion bash x", `expected no argument, got "x"`, `see slipway completion bash --help`},
		{"--nope", `unknown flag: --nope`, `see slipway --help`},
		{"keygen --nope", `unknown flag: --nope`, `see slipway keygen --help`},
		{"keygen extra", `keygen: expected no argument, got "extra"`, `see slipway keygen --help`},
		{"keygen --output=", `--output: expected a prefix, got none`, `see slipway keygen --help`},
		{"keygen", `password: no terminal to ask on`, `use --password-file or set \$SLIPWAY_PASSWORD`},
		{"sign", `sign: expected REFERENCE, got 0 arguments`, `see slipway sign --help`},
		{"sign a b --key k", `sign: expected REFERENCE, got 2 arguments`, `see slipway sign --help`},
		{"sign " + ref, `sign: required flag\(s\) "key" not set`, `see slipway sign --help`},
		{"sign " + ref + " --key k --format cosign", `"cosign" for "--format" flag: expected both, tag or bundle`, `sign --help`},
		{"sign " + ref + " --key k -a epoch", `--annotation: expected KEY=VALUE, got "epoch"`, `sign --help`},
		{"sign " + ref + " --key k -a =1", `--annotation: expected KEY=VALUE, got "=1"`, `sign --help`},
		{"sign " + ref + " --key k", `password: no terminal to ask on`, `--password-file`},
		{"sign web --key k", `"web": no registry host`, `registry.example/path:tag`},
		{"verify " + ref, `required flag\(s\) "policy" not set`, `see slipway verify --help`},
		{"verify web:stable --policy p", `"web:stable": no registry host`, `registry.example/path:tag`},
		{"verify  --policy p", `invalid reference: empty`, `registry.example/path:tag`},
		{"verify a.example/b@sha256:12 --policy p", `digest "sha256:12" is not sha256: and 64 hex digits`, `registry.example/path:tag`},
		{"verify a.example/b --policy p", `a.example/b`, `registry.example/path:tag`},
		{"plan " + ref + " --policy p --memory 3Q", `"3Q" for "--memory" flag: expected a size as 900M or 2G`, `see slipway plan --help`},
		{"pull " + ref + " --policy p", `required flag\(s\) "output" not set`, `see slipway pull --help`},
		{"payload build", `required flag\(s\) "ca", "config", "output", "policy" not set`, `see slipway payload build --help`},
		{"payload build --format floppy", `"floppy" for "--format" flag: expected uki or disk`, `see slipway payload build --help`},
		{"payload inspect", `expected FILE, got 0 arguments`, `see slipway payload inspect --help`},
		{"run", `expected PAYLOAD, got 0 arguments`, `see slipway run --help`},
		{"run " + file + " --nic e1000", `"e1000" for "--nic" flag: expected virtio-net-pci or e1000e`, `see slipway run --help`},
		{"run " + file + " --firmware bios", `"bios" for "--firmware" flag: expected ovmf or seabios`, `see slipway run --help`},
		{"demo --root disk", `"disk" for "--root" flag: expected auto, direct or initrd`, `see slipway demo --help`},
		{"version now", `version: expected no argument, got "now"`, `see slipway version --help`},
	} {
		hint := strings.TrimPrefix(test.hint, "^")
		if out := bad(t, exitUsage, test.message, hint, strings.Split(test.call, " ")...); out != "" {
			t.Errorf("slipway %s: expected nothing on standard output, got %s", test.call, out)
		}
	}
}

func TestVersion(t *testing.T) {
	want := "slipway " + version.String() + "\n"
	for _, arg := range []string{"version", "--version", "-v"} {
		if out := good(t, arg); out != want {
			t.Errorf("%s: expected %q, got %q", arg, want, out)
		}
	}
	var v struct{ Version string }
	if decode(t, good(t, "version", "--json"), &v); v.Version != version.String() {
		t.Errorf("expected %q, got %q", version.String(), v.Version)
	}
}

// TestCompletion has bash read its script and fetch words through it.
func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "complete -o default -F __start_slipway slipway", "zsh": "#compdef slipway",
		"fish": "complete -c slipway", "powershell": "Register-ArgumentCompleter",
	} {
		if out := good(t, "completion", shell); !strings.Contains(out, want) {
			t.Errorf("%s: expected %q in the script", shell, want)
		}
	}
	script := write(t, filepath.Join(t.TempDir(), "slipway.bash"), good(t, "completion", "bash"))
	if out, err := exec.Command("bash", "-n", script).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("bash -n: %v: %s", err, out)
	}
	for _, test := range []struct{ call, want string }{
		{"ke", "keygen\tMake a signing key pair\n"},
		{"payload b", "build\t"},
		{"payload build --format ", "uki\ndisk\n"},
		{"sign --format ", "both\ntag\nbundle\n"},
		{"run --firmware ", "ovmf\nseabios\n"},
		{"help pa", "payload\t"},
		{"plan --me", "--memory\t"},
	} {
		a := slipway(t, append([]string{"__complete"}, strings.Split(test.call, " ")...)...)
		if a.code != 0 || !strings.HasPrefix(a.out, test.want) {
			t.Errorf("completing %q: expected %q, got %q", test.call, test.want, a.out)
		}
	}
}

// TestInterrupted: a signal is no failure of the registry's.
func TestInterrupted(t *testing.T) {
	r := newRig(t)
	ref := r.Push(t, "os/web:stable", bootable(t, nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err strings.Builder
	code := run(ctx, []string{"verify", ref, "--policy", r.policy, "--ca", r.ca}, streams{os.Stdin, &out, &err})
	if code != exitFailed || err.String() != "slipway: error: interrupted\n" {
		t.Errorf("got exit code %d, %q", code, err.String())
	}
}
