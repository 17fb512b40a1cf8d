// Package disk makes and reads bootable disk images: a GPT with one EFI system
// partition, FAT32, that any UEFI firmware boots from a USB stick, a disk or a
// virtual one.
//
// [Write] makes an image; its bytes, GUIDs and serial number included, depend on
// the [Options] alone. [Open] finds the EFI system partition of such an image,
// or of another, and lists and opens its files.
//
// Refused when writing: names that FAT cannot hold, empty files, and content that
// does not fit. Refused when reading: anything that is not GPT with 512-byte
// sectors and FAT32, checksums that do not match, and structures that lead
// outside the image, in circles, or over a limit. Names read are for show and for
// [ESP.Open], not for use as paths on the host.
package disk
