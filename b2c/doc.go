// Package b2c is the runtime: /init in its second life, on the boot image's
// own kernel. It assembles the image's root file system in memory and hands
// over to the image's init.
//
// Live does all of it as process 1 (the way called direct). Assemble does only
// the root, for an image whose own initramfs runs (the way called initrd).
// Both read what the loader left below /slipway and trust it: it lies in the
// memory that the loader filled after verifying the image.
package b2c
