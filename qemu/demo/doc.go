// Package demo shows slipway's whole line on real parts in one command: a
// Debian bootc image is built, pushed to a registry and signed; a payload is
// built and booted in QEMU under OVMF; the booted system proves what it is.
//
// Run does it all. What a person would type is run as the real slipway
// program, and printed, so that the demo is also the instruction.
package demo
