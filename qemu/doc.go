// Package qemu runs virtual machines for tests and for slipway run and demo.
// It is the one place that knows QEMU's command line.
//
// Call StartT in a test, Start elsewhere; then Expect and Send talk to the
// console, and Wait says how the machine ended. Options.Args is the command
// line as a pure function.
//
// # The machine
//
// A q35 PC under TCG, which needs nothing of the host; KVM only on request,
// because a /dev/kvm may be there and not work. It always has an entropy
// source, two serial ports, and no device that Options does not name. The
// kernel's command line is exactly Options.Cmdline, so a guest needs
// console=ttyS0 there to be heard, and NoTimerCheck to survive a busy host. No
// firmware boots from the network.
//
//	ttyS0  console: standard input and output, Expect, Send, ConsoleFile
//	ttyS1  report channel, written to ReportFile as it comes: VM.Report
//
// A guest on the User network reaches the host's 127.0.0.1 as HostAddress,
// and the host reaches the guest through NIC.Forward. On an Unconnected card
// the link is up and nobody answers.
//
// # How it ends
//
// Exit.Reason tells a power-off (Shutdown) from a reboot (Reset), a panic
// (Panic), a hang that somebody ended (Killed) and a dead QEMU (Crashed). A
// reboot ends the machine unless Options.Reboot lets it go on; a panic ends
// it after a moment for the trace, but with Options.Reboot it is the guest's
// own business. Nothing ends a hang but the contexts of Expect, Wait and
// Start.
//
// # What a failing test leaves behind
//
// The machine's directory, named in the test's log: ConsoleFile with a time
// per line, ReportFile, ErrorsFile, VarsFile, and RepeatFile, a script that
// runs the same machine again on a terminal. The machine's inputs get a
// second name there (a hard link), so that the script outlives the test's own
// temporary files. A passing test leaves nothing, and no QEMU outlives the
// process that started it (on other systems than Linux: unless that process
// is killed).
//
// # What it refuses
//
// Args returns a named error for options that no QEMU could run or that QEMU
// would read differently from what they say. It is not promised that a file
// exists or that a guest boots.
package qemu
