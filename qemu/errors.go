package qemu

import "errors"

// Errors for options that no QEMU could run. Args and Start return them
// wrapped, with the value that was refused.
var (
	ErrMemory    = errors.New("memory size out of range")
	ErrCPUs      = errors.New("number of CPUs out of range")
	ErrFirmware  = errors.New("unusable firmware")
	ErrKernel    = errors.New("initrd or command line without a kernel")
	ErrDisk      = errors.New("unusable disk")
	ErrNIC       = errors.New("unusable network card")
	ErrForward   = errors.New("unusable port forward")
	ErrSMBIOS    = errors.New("unusable SMBIOS string")
	ErrFWCfg     = errors.New("unusable fw_cfg item")
	ErrValue     = errors.New("value with a NUL byte")
	ErrNoDir     = errors.New("no artifact directory")
	ErrNoQEMU    = errors.New("qemu-system-x86_64 not found, install the package qemu-system-x86")
	ErrNoOVMF    = errors.New("OVMF not found, install the package ovmf")
	ErrStart     = errors.New("QEMU did not start")
	ErrNoDisplay = errors.New("no display: set Options.Display")
)

// Errors of a virtual machine that runs or has run.
var (
	// ErrTimeout is returned when the context ended first. It always comes
	// together with the context's own error.
	ErrTimeout = errors.New("timed out")
	// ErrExited is returned when the machine ended before what was waited for.
	ErrExited = errors.New("machine ended")
	// ErrPanic comes together with ErrExited when the guest's kernel panicked.
	ErrPanic = errors.New("guest kernel panicked")
	// ErrUnwanted is returned when a line matched one of the patterns that
	// mean failure.
	ErrUnwanted = errors.New("unwanted console line")
	// ErrCommand is returned when QEMU refused a control command.
	ErrCommand = errors.New("QEMU refused the command")
	// ErrTerminal is returned by Send when a person owns the console's input.
	ErrTerminal = errors.New("the console's input belongs to the terminal")
	// ErrTooLarge is returned when the guest reported more than maxReport.
	ErrTooLarge = errors.New("too large")
)
