package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Ceilings of time and size.
const (
	panicGrace  = 5 * time.Second  // for a panicking kernel to print its trace
	sendTimeout = 30 * time.Second // for the guest to read what Send wrote
	quitTimeout = 5 * time.Second  // for QEMU to put the terminal back
	maxReport   = 64 << 20
)

// VM is a virtual machine that was started. Its methods may be called from
// several goroutines.
type VM struct {
	opts    Options // with defaults and absolute paths
	process *process
	monitor *monitor
	console *console
	powerOn time.Time
	ready   chan struct{} // closed when the machine runs or never will
	done    chan struct{} // closed when exit is there
	exit    Exit

	mu      sync.Mutex
	outcome outcome
	waited  bool // somebody got the Exit
}

// live reads what QEMU says until it is gone, and then settles the Exit.
func (vm *VM) live(log io.Closer) {
	var readers sync.WaitGroup
	readers.Go(vm.monitor.run)
	readers.Go(func() {
		<-vm.ready // so that lines have a power-on to count from
		vm.console.copyFrom(vm.process.output)
	})
	<-vm.process.exited
	end := time.Now()
	readers.Wait()
	<-vm.ready
	log.Close()
	vm.process.close()
	code := vm.process.cmd.ProcessState.ExitCode()
	vm.mu.Lock()
	vm.exit = Exit{
		Reason: vm.outcome.reason(code), Cause: vm.outcome.cause, Code: code, Elapsed: end.Sub(vm.powerOn),
		Resets: vm.outcome.resets, PeakRSS: vm.process.peakRSS(),
	}
	vm.mu.Unlock()
	close(vm.done)
}

// onLine watches for a panic and passes the line on. A panicking kernel gets
// a moment for its trace, then it has no future.
func (vm *VM) onLine(line Line) {
	switch {
	case vm.opts.Reboot:
	case panicLine.MatchString(line.Text):
		vm.mu.Lock()
		vm.outcome.panicked = true
		vm.mu.Unlock()
		time.AfterFunc(panicGrace, vm.end)
	case panicEnd.MatchString(line.Text):
		time.AfterFunc(settle, vm.end)
	}
	if vm.opts.OnLine != nil {
		vm.opts.OnLine(line)
	}
}

// onEvent notes what QEMU says about the end.
func (vm *VM) onEvent(m message) {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	if reason, ok := m.shutdownReason(); ok {
		vm.outcome.shutdown = reason
	}
	if m.Event == "RESET" {
		vm.outcome.resets++
	}
}

// Wait waits until the machine has ended by itself or was killed. When ctx
// ends first it returns ErrTimeout with the last console lines, and the
// machine runs on.
func (vm *VM) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-vm.done:
	case <-ctx.Done():
		if vm.running() {
			return Exit{}, fmt.Errorf("%s: wait: %w: %w\n%s", vm.opts.Name, ErrTimeout, context.Cause(ctx), vm.console.tail(tailLines))
		}
	}
	vm.mu.Lock()
	defer vm.mu.Unlock()
	vm.waited = true
	return vm.exit, nil
}

// running reports whether the machine has not ended yet.
func (vm *VM) running() bool {
	select {
	case <-vm.done:
		return false
	default:
		return true
	}
}

// Kill pulls the plug and returns when QEMU is gone. It may be called at any
// time and more than once.
func (vm *VM) Kill() { vm.kill(nil) }

// kill ends the machine and notes why.
func (vm *VM) kill(cause error) {
	vm.mu.Lock()
	if !vm.outcome.killed {
		vm.outcome.killed, vm.outcome.cause = true, cause
	}
	vm.mu.Unlock()
	vm.end()
}

// end ends the process. With a terminal QEMU is asked first, because it has
// to put the terminal's modes back.
func (vm *VM) end() {
	if vm.opts.Terminal != nil {
		vm.process.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-vm.done:
		case <-time.After(quitTimeout):
		}
	}
	vm.process.cmd.Process.Kill() // an error means that it is gone already
	<-vm.done
}

// exitError says how the machine ended, for those who waited for more.
func (vm *VM) exitError() error {
	switch vm.exit.Reason {
	case Panic:
		return fmt.Errorf("%w: %w: %v", ErrExited, ErrPanic, vm.exit)
	case Crashed:
		return fmt.Errorf("%w: %v\n%s", ErrExited, vm.exit, vm.messages())
	}
	return fmt.Errorf("%w: %v", ErrExited, vm.exit)
}

// Send types text on the console, as it is: end a line with "\n".
func (vm *VM) Send(text string) error {
	if vm.process.input == nil {
		return fmt.Errorf("%s: send: %w", vm.opts.Name, ErrTerminal)
	}
	vm.process.input.SetWriteDeadline(time.Now().Add(sendTimeout))
	if _, err := io.WriteString(vm.process.input, text); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("%w: %w", ErrTimeout, err)
		}
		return fmt.Errorf("%s: send %q: %w", vm.opts.Name, text, err)
	}
	return nil
}

// Command executes a QMP command, such as "set_link" or "system_powerdown",
// and returns its answer. Arguments are marshalled to JSON; nil means none.
// The error is ErrCommand when QEMU refuses.
func (vm *VM) Command(ctx context.Context, name string, arguments any) (json.RawMessage, error) {
	answer, err := vm.monitor.command(ctx, name, arguments)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", vm.opts.Name, err)
	}
	return answer, nil
}

// Screendump writes the picture of the display to a file: PNG if its name
// ends so, else PPM. It needs Options.Display.
func (vm *VM) Screendump(ctx context.Context, path string) error {
	if !vm.opts.Display {
		return fmt.Errorf("%s: screendump: %w", vm.opts.Name, ErrNoDisplay)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("%s: screendump: %w", vm.opts.Name, err)
	}
	arguments := map[string]string{"filename": path, "format": "ppm"}
	if strings.HasSuffix(path, ".png") {
		arguments["format"] = "png"
	}
	_, err = vm.Command(ctx, "screendump", arguments)
	return err
}

// Dir returns the artifact directory.
func (vm *VM) Dir() string { return vm.opts.Dir }

// Console returns everything the console has shown so far.
func (vm *VM) Console() string { return vm.console.text() }

// Lines returns the console's lines so far with their times.
func (vm *VM) Lines() []Line { return vm.console.all() }

// Report returns what the guest has written to its second serial port
// (ttyS1) so far. A guest's terminal layer may have turned "\n" into "\r\n".
// The error is ErrTooLarge beyond 64 MiB.
func (vm *VM) Report() ([]byte, error) {
	f, err := os.Open(filepath.Join(vm.opts.Dir, ReportFile))
	if err != nil {
		return nil, fmt.Errorf("%s: report: %w", vm.opts.Name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	if err == nil && len(data) > maxReport {
		err = fmt.Errorf("%w: expected at most %d bytes", ErrTooLarge, maxReport)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: report: %w", vm.opts.Name, err)
	}
	return data, nil
}

// messages returns the end of what QEMU itself complained about.
func (vm *VM) messages() string {
	data, err := os.ReadFile(filepath.Join(vm.opts.Dir, ErrorsFile))
	if err != nil || len(data) == 0 {
		return "QEMU said nothing"
	}
	return "QEMU said: " + strings.TrimSpace(string(data[max(len(data)-4096, 0):]))
}
