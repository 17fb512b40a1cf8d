// Package lab makes the real things that slipway's demo and VM tests need:
// Debian kernels unpacked from their packages, bootc images (a whole Debian
// and a tiny one), Debian's docker-registry behind TLS, and chrony's chronyd
// as a time server. Nothing in it imitates another program.
//
// Start with a [Lab], whose Cache directory keeps everything that was
// downloaded or built; then ask for what the test needs:
//
//   - [Lab.EnsurePackages] installs missing host tools (root only);
//   - [Lab.HostKernel] and [Lab.ImageKernel] unpack kernels;
//   - [Lab.DebianImage] and [Lab.TinyImage] build boot images;
//   - [NewCA], [Lab.StartRegistry] and [Lab.StartNTP] run servers, which end
//     with their context and never outlive the process.
//
// Host packages are only ever tools. Servers (docker-registry, chrony) are
// unpacked into the cache and never installed, so that no service starts and
// the machine's own time synchronisation stays as it is.
//
// The lab works on Debian 12 and newer, amd64, and says so elsewhere. Other
// suites are read through private apt state below the cache: the host's own
// package lists and sources are read, never changed. The mirror is the one
// the host uses. Lists are read once and again only when a package in them is
// gone: delete the cache to get a newer host kernel. Boot images are made of
// the packages in debian-trixie.lock, see [Lab.Relock].
package lab
