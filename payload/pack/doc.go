// Package pack builds payloads and looks into them.
//
// [Build] makes one file that firmware starts (a UKI, or a disk image with the
// UKI on it) out of a program, a policy, a configuration, TLS roots and a kernel
// that was unpacked from its package; and, beside it, an SPDX SBOM that says what
// is inside and where the source of the GPL parts is. Both appear whole or not
// at all, and their bytes depend on the [Options] alone.
//
// [Inspect] tells what any payload holds, by its content and not by its name.
//
// Refused: everything that packages image, uki and disk refuse, a kernel that
// lacks what the loader needs, and a kernel and modules that do not belong
// together.
package pack
