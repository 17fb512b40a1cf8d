// Package uki assembles and reads unified kernel images: one EFI program that
// holds a kernel, its initramfs and its command line, as
// https://uapi-group.org/specifications/specs/unified_kernel_image/ has it.
//
// [Assemble] appends sections to a stub (systemd-stub, which distributions
// ship), without objcopy or ukify. The bytes depend on the [Spec] alone.
// [Parse] reads such a file; [ParseKernel] reads the header of an x86 bzImage.
//
// Refused: a stub that is no PE program, that is for another machine than the
// kernel or that carries a kernel already, a kernel without an EFI entry, a
// command line that the kernel would cut off, and more sections than PE allows.
// Signatures on the stub do not survive and are dropped; signing is another
// step.
package uki
