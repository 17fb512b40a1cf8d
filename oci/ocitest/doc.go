// Package ocitest has an OCI registry for tests that misbehaves on demand, and
// builders for small images.
//
// Start gives a registry over HTTPS on the loopback; Registry.Push fills it
// with images of Image, Layer and Index; Registry.Fault makes it corrupt,
// cut, stall, redirect or refuse what it serves.
package ocitest
