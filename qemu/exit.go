package qemu

import (
	"fmt"
	"regexp"
	"time"
)

// Reason is why a machine ended.
type Reason string

// The reasons.
const (
	Shutdown Reason = "shutdown" // the guest powered off
	Reset    Reason = "reset"    // the guest asked for a reboot, or its processor gave up (triple fault)
	Panic    Reason = "panic"    // the guest's kernel panicked, whatever it did afterwards
	Killed   Reason = "killed"   // Kill, the end of Start's context, or the person at the terminal
	Crashed  Reason = "crashed"  // QEMU itself died; see ErrorsFile
)

// Exit is how a machine ended.
type Exit struct {
	Reason  Reason
	Cause   error         // why it was killed, if by the end of Start's context
	Code    int           // QEMU's exit code, -1 when a signal ended it
	Elapsed time.Duration // from power-on
	Resets  int           // reboots the machine went through, with Options.Reboot
	// PeakRSS is the most memory QEMU held at once, in bytes: what the guest
	// touched and what QEMU needs itself. The kernel counts it from the fork,
	// so it is never less than what the process that called Start held.
	PeakRSS int64
}

// String says it in words for a test's log.
func (e Exit) String() string {
	cause := ""
	if e.Reason == Killed && e.Cause != nil {
		cause = fmt.Sprintf(" (%v)", e.Cause)
	}
	return fmt.Sprintf("%s%s after %.1f s, QEMU exit code %d, peak %d MiB", e.Reason, cause, e.Elapsed.Seconds(), e.Code, e.PeakRSS>>20)
}

// The first and the last line of a Linux panic, with or without time stamp,
// but not of a program that talks about one.
var (
	panicLine = regexp.MustCompile(stamp + `Kernel panic - not syncing`)
	panicEnd  = regexp.MustCompile(stamp + `---\[ end Kernel panic - not syncing`)
)

// stamp is what the kernel may print before each line.
const stamp = `^(<\d+>)?(\[\s*\d+\.\d+\](\[[^]]*\])? )?`

// outcome gathers what is known about a machine's end while it runs. Its
// methods' callers hold the VM's mutex.
type outcome struct {
	shutdown string // reason of QEMU's SHUTDOWN event
	panicked bool   // since the last reset
	killed   bool   // by Kill or a context
	cause    error  // that context's
	resets   int
}

// reason judges the evidence, the strongest first.
func (o outcome) reason(code int) Reason {
	switch {
	case o.panicked, o.shutdown == "guest-panic":
		return Panic
	case o.shutdown == "guest-shutdown":
		return Shutdown
	case o.shutdown == "guest-reset", o.shutdown == "subsystem-reset":
		return Reset
	case o.killed, o.shutdown != "":
		return Killed
	case code == 0:
		return Killed // quit on the terminal before the event was read
	}
	return Crashed
}
