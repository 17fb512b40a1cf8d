// Package payload is the loader: /init in its first life, from the payload's
// kernel to kexec.
//
// Boot is the whole of it and reads top to bottom: bring up, fetch, verify,
// extract, hand off, load, jump. Rescue is the one place that decides what
// happens after an error. cmd/init calls the two in turn; nothing else does.
//
// It refuses to go on without a policy, and nothing a configuration says
// changes the policy. It keeps no state on any disk and writes to none.
package payload
