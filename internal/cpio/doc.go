// Package cpio writes and reads "newc" archives, the only form the kernel
// unpacks as an initramfs.
//
// To write, call [NewWriter], add entries, and Close. The bytes depend on
// nothing but the calls made: owners are root, inode numbers count up, every
// time is the one given to NewWriter, and parent directories are written once,
// before their first child. A caller that does not know a member's size until
// it has written it puts a [FileHeader] down, streams the body behind it, pads
// it to [Align], and overwrites the header at the end.
//
// To read, call [NewReader] and Next until io.EOF. Like the kernel, the reader
// walks through archives joined end to end with zero padding between them.
// What follows and is no archive (a compressed initramfs behind a microcode
// archive, for one) is left for [Reader.Rest].
//
// Refused when writing: names that are absolute, empty, not clean or too long
// for the kernel, two members of one name, and members that do not fit the
// format's 32-bit size. The kernel skips such members in silence, so they are
// errors here. Refused when reading: anything over the [Limits] and any header
// that is not newc. The reader only describes what it sees; names are not safe
// to use as paths.
package cpio
