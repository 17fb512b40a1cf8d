// Package erofs writes uncompressed EROFS images as a stream.
//
// The contents of regular files go to the output as they arrive, so a root
// file system is built from a registry's layers without a second copy of its
// data. Everything that describes the files is written last, from a tree of
// nodes, so that owners, attributes and labels may still change until then.
//
// Call NewWriter first, then Writer.File for each regular file (from several
// goroutines if need be), and Writer.Close once with the root of the tree:
//
//	w := erofs.NewWriter(out, time.Unix(0, 0))
//	data, err := w.File(reader, size)
//	root.Children["hello"] = &erofs.Node{Mode: erofs.Regular | 0o644, Data: data}
//	size, err := w.Close(root)
//
// The image has blocks of 4096 bytes:
//
//	block 0           superblock, with its CRC-32C
//	file data         in arrival order, contiguous, aligned to blocks
//	directory blocks  and what else did not fit behind its inode
//	inodes            64 bytes each, then extended attributes, then inlined data
//
// It uses no feature that needs a kernel newer than Linux 5.4. The same calls
// in the same order give the same bytes; files written at the same time are
// placed in the order in which their space was reserved.
//
// Close refuses trees that EROFS or Linux could not represent: names that are
// empty, dot names, longer than 255 bytes or with a slash; a directory reached
// twice; attributes outside user, trusted, security and POSIX ACLs; anything
// over the format's sizes. Nothing of the image is valid before Close returned.
package erofs
