// Package e2e has no code of its own: its tests boot the whole line in
// virtual machines. Tests tagged vm boot a payload's kernel directly, with the
// lab's tiny image; tests tagged firmware start at power-on, with a whole
// Debian. Each test names the rows of docs/boot-sequence.md that it covers.
//
// Both tiers need Debian packages (make test installs them) and the network
// for what the lab has not cached yet. They never skip.
package e2e
