package demo

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/internal/report"
	"github.com/slipway-boot/slipway/payload"
	"github.com/slipway-boot/slipway/qemu"
)

// bootLimit ends a boot that hangs; a normal one is far below it, even under
// emulation on a busy machine.
const bootLimit = 15 * time.Minute

// machine is the demo's: OVMF, one disk, one network card.
func (r *run) machine() (qemu.Options, error) {
	firmware, err := qemu.OVMF()
	if err != nil {
		return qemu.Options{}, err
	}
	return qemu.Options{
		Name: "demo", Dir: r.path("vm"), Firmware: firmware, MemoryMiB: r.memory(),
		Disks: []qemu.Disk{{Path: r.path("payload.img"), Snapshot: true}},
		NICs:  []qemu.NIC{{}},
	}, nil
}

// console is the file with the machine's console.
func (r *run) console() string { return filepath.Join(r.path("vm"), qemu.ConsoleFile) }

func (r *run) memory() int {
	if r.MemoryMiB == 0 {
		return DefaultMemoryMiB
	}
	return r.MemoryMiB
}

// console boots the disk with the user at the console.
func (r *run) interact(ctx context.Context) error {
	o, err := r.machine()
	if err != nil {
		return err
	}
	o.Terminal = &qemu.Terminal{In: os.Stdin, Out: os.Stdout}
	o.Reboot = true
	r.say("the console is yours: log in as root; power off or type Ctrl-A x to end")
	vm, err := qemu.Start(ctx, o)
	if err != nil {
		return err
	}
	_, err = vm.Wait(ctx)
	return err
}

// boot boots the disk and waits until the booted system has told what it is.
func (r *run) boot(ctx context.Context, plan *payload.Plan) (*Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	o, err := r.machine()
	if err != nil {
		return nil, err
	}
	o.SMBIOS = []qemu.OEMString{
		credential("systemd.extra-unit.slipway-proof.service", proofUnit),
		credential("systemd.unit-dropin.multi-user.target", proofWants),
	}
	o.OnLine = func(l qemu.Line) {
		if strings.HasPrefix(l.Text, "slipway: ") || milestone.MatchString(l.Text) {
			fmt.Fprintf(r.Out, "    %6.1f | %s\n", l.At.Seconds(), l.Text)
		}
	}
	r.say("booting %s in QEMU under OVMF, %d MiB (emulated: no KVM)", r.path("payload.img"), r.memory())
	vm, err := qemu.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer vm.Kill()
	exit, err := vm.Wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("the machine did not finish: %w (console: %s)", err, r.console())
	}
	if exit.Reason != qemu.Shutdown {
		return nil, fmt.Errorf("the machine ended by %s (console: %s)", exit, r.console())
	}
	return r.summarize(plan, vm, exit)
}

func (r *run) summarize(plan *payload.Plan, vm *qemu.VM, exit qemu.Exit) (*Summary, error) {
	raw, err := vm.Report()
	if err != nil {
		return nil, err
	}
	proof, err := parseProof(string(raw))
	if err != nil {
		return nil, fmt.Errorf("%w (console: %s)", err, r.console())
	}
	boot, err := report.Parse([]byte(proof.BootJSON))
	if err != nil {
		return nil, err
	}
	s := &Summary{Plan: *plan, Report: boot, Proof: proof, Steps: consoleSteps(vm.Console()), Payload: r.path("payload.img"),
		Console: r.console(), Boot: r.path("boot.json"), Seconds: exit.Elapsed.Seconds()}
	return s, os.WriteFile(s.Boot, []byte(proof.BootJSON), 0o644)
}

// milestone are the lines of the booted system worth showing.
var milestone = regexp.MustCompile(`^\[ *[0-9.]+\] Linux version|systemd\[1\]: systemd .* running in system mode|Reached target.*(Multi-User|Switch Root)|login:`)

// credential makes an SMBIOS string of a systemd credential.
func credential(name, text string) qemu.OEMString {
	return qemu.OEMString{Value: "io.systemd.credential.binary:" + name + "=" + base64.StdEncoding.EncodeToString([]byte(text))}
}

var stepLine = regexp.MustCompile(`^slipway: ([1-7])/7 ([a-z ]+): (.*) \(([0-9.]+) s\)$`)

// consoleSteps reads the seven steps from the console.
func consoleSteps(console string) []report.Step {
	var out []report.Step
	for line := range strings.Lines(console) {
		if m := stepLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			n, _ := strconv.Atoi(m[1])
			seconds, _ := strconv.ParseFloat(m[4], 64)
			out = append(out, report.Step{N: n, Name: m[2], What: m[3], Seconds: seconds})
		}
	}
	return out
}
