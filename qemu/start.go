package qemu

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// startTimeout is how long QEMU may take to answer on its control channel.
const startTimeout = 60 * time.Second

// Start starts a machine. It returns when the machine runs, or with the error
// of the options, ErrNoQEMU, or ErrStart with QEMU's message. The machine is
// killed when ctx ends, and on Linux also when this process dies. The caller
// removes the artifact directory, vm.Dir.
func Start(ctx context.Context, o Options) (*VM, error) {
	o = o.withDefaults()
	temporary := o.Dir == ""
	o, err := o.prepare()
	var vm *VM
	if err == nil {
		vm, err = o.start(ctx)
	}
	if err != nil {
		if temporary && o.Dir != "" {
			os.RemoveAll(o.Dir)
		}
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	context.AfterFunc(ctx, func() { vm.kill(context.Cause(ctx)) })
	return vm, nil
}

// start starts a machine whose directory is prepared.
func (o Options) start(ctx context.Context) (*VM, error) {
	args, err := o.Args()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(o.Dir, ConsoleFile))
	if err != nil {
		return nil, err
	}
	p, err := launch(args, o)
	if err != nil {
		log.Close()
		return nil, err
	}
	vm := newVM(o, p, log)
	go vm.live(log)
	if err := vm.begin(ctx); err != nil {
		vm.Kill()
		return nil, fmt.Errorf("%w: %w\n%s", ErrStart, err, vm.messages())
	}
	return vm, nil
}

// prepare checks the options, completes them, and fills the directory.
func (o Options) prepare() (Options, error) {
	check := o
	check.Dir = or(check.Dir, ".")
	if _, err := check.Args(); err != nil { // before anything is created
		return o, err
	}
	var err error
	if o.Dir == "" {
		o.Dir, err = os.MkdirTemp("", "slipway-vm-")
	} else {
		err = os.MkdirAll(o.Dir, 0o755)
	}
	if err != nil {
		return o, fmt.Errorf("artifact directory: %w", err)
	}
	if o, err = o.absolute(); err != nil {
		return o, err
	}
	if err := o.copyVars(); err != nil {
		return o, fmt.Errorf("firmware: %w: %w", ErrFirmware, err)
	}
	return o, o.writeRepeat()
}

// copyVars gives the machine its own UEFI variables. A directory that is used
// again keeps them, as a real machine does.
func (o Options) copyVars() error {
	if o.Firmware.Vars == "" {
		return nil
	}
	vars := filepath.Join(o.Dir, VarsFile)
	if _, err := os.Stat(vars); err == nil {
		return nil
	}
	data, err := os.ReadFile(o.Firmware.Vars)
	if err != nil {
		return err
	}
	return os.WriteFile(vars, data, 0o600)
}

// newVM connects the parts around a process.
func newVM(o Options, p *process, log io.Writer) *VM {
	vm := &VM{opts: o, process: p, powerOn: time.Now(), ready: make(chan struct{}), done: make(chan struct{})}
	vm.console = newConsole(func() time.Duration { return time.Since(vm.powerOn) })
	vm.console.log = log
	vm.console.hook = vm.onLine
	if o.Terminal != nil {
		vm.console.out = o.Terminal.Out
	}
	vm.monitor = newMonitor(p.control, vm.onEvent)
	return vm
}

// begin waits for the control channel and switches the machine on.
func (vm *VM) begin(ctx context.Context) error {
	defer close(vm.ready)
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("no answer in %v", startTimeout))
	defer cancel()
	if _, err := vm.monitor.command(ctx, "qmp_capabilities", nil); err != nil {
		return err
	}
	vm.powerOn = time.Now()
	_, err := vm.monitor.command(ctx, "cont", nil)
	return err
}
