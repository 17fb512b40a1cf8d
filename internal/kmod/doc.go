// Package kmod finds and loads kernel modules: what depmod, modprobe and insmod
// do, without running them.
//
// [Open] reads the indexes that depmod wrote into a modules directory. [Scan]
// builds the same from the modules themselves, for a kernel package that was
// unpacked and never installed. Either gives an [Index]: Match turns a device's
// modalias into module names, Closure turns names into files in load order,
// Read returns a file's ELF image whatever its compression, and [Insert] hands
// it to the kernel. IndexFiles writes depmod's text indexes for a subset.
//
// Names compare with '-' and '_' equal, as everywhere in the kernel. Names that
// are built into the kernel are known and load nothing.
//
// Refused: names that are neither a module nor built in, indexes whose paths
// leave the directory, and files over the package's limits. Soft dependencies
// that do not exist are not errors: they never are for modprobe.
package kmod
