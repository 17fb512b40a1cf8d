// Package oci turns an image reference into verified boot files.
//
// The way is straight, and each step takes what the one before returned:
//
//	ref, err := oci.ParseReference("registry.example/os/web:stable")
//	signed, err := client.Fetch(ctx, ref)           // bytes, nothing trusted
//	image, err := policy.Verify(signed, options)    // the only way to an Image
//	bundle, err := client.Extract(ctx, image, root) // kernel, initramfs, root
//
// Trust is a type: Signed and Image have no exported fields and no
// constructor but Fetch and Verify, and Blob and Extract refuse an Image that
// did not come from Verify. Policies are made by LoadPolicy and ParsePolicy;
// the zero Policy rejects everything.
//
// # What is verified
//
// Signatures by key, as cosign makes them, in two formats: simple signing at
// the tag sha256-<hex>.sig, and sigstore bundles v0.3 that refer to the image,
// listed by the registry or at the tag sha256-<hex>. All places are read, and
// a bad signature never hides a good one. The policy is a strict subset of
// containers-policy.json(5) and a second file, boot-policy.toml, for what it
// cannot say: an epoch floor against rollback, expiry, the tag an image was
// signed for. VerifyError and Image.Findings tell about every signature that
// was looked at.
//
// # What is refused
//
// Anything but HTTPS; redirects elsewhere; credentials for any host but the
// registry's own and the listed ones; digests other than SHA-256; documents
// over their ceilings, with duplicate or case-folded keys, or that could be
// read as two things; keys other than ECDSA P-256 and RSA of 2048 to 4096
// bits; signatures other than DER and PKCS #1 v1.5 over SHA-256; bundles with
// a certificate; attestations taken for signatures; unknown keys in a policy.
//
// # What is not promised
//
// Transparency log entries and timestamps are not looked at, and Findings say
// so. There is no revocation but a new policy or a higher epoch. Format A
// names a repository as its signer wrote it, often without tag: that a tag was
// not swapped for another is checked only if the policy asks for the signed
// annotation ref.
package oci
