// Package image builds and reads the initramfs of a payload: /init, what it may
// do (policy), what it trusts (TLS roots), what it is to do (configuration), and
// the kernel modules it needs to reach network and disks.
//
// [Initramfs] writes one, reproducibly: the bytes depend on the [Spec] alone.
// [Read] takes one apart again. [DefaultModules] is the table of drivers.
//
// Refused: a policy that trusts no key (unless it allows unsigned images in so
// many words), a private key anywhere, TLS roots that are not certificates, a
// configuration that does not parse, an /init that needs anything beside itself,
// and modules that were asked for by name and do not exist. Modules of the
// default table that a kernel does not have are only warnings.
package image
