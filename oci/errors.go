package oci

import "errors"

// One sentinel for each decision a caller can take. Every error of this
// package wraps at least one of them (or a context's error); test with
// errors.Is.
var (
	// ErrReference: the text is no complete image reference or digest.
	ErrReference = errors.New("invalid reference")
	// ErrNotFound: the registry answered and does not have it.
	ErrNotFound = errors.New("not found")
	// ErrDenied: the registry wants other credentials than the client has.
	ErrDenied = errors.New("access denied")
	// ErrRefused: the registry calls the request itself wrong.
	ErrRefused = errors.New("request refused by the registry")
	// ErrUnreachable: no usable answer after the last try: no name, no route,
	// refused, cut, too slow, or only 429 and 5xx.
	ErrUnreachable = errors.New("registry unreachable")
	// ErrCertificate: the server's certificate does not chain to the roots,
	// or is not for this host. ErrClock is wrapped as well when it is
	// expired or not yet valid.
	ErrCertificate = errors.New("certificate not accepted")
	// ErrClock: a certificate is outside its dates; look at the clock first.
	ErrClock = errors.New("certificate outside its validity period")
	// ErrRedirect: the server sends the client to a place it must not go.
	ErrRedirect = errors.New("redirect refused")
	// ErrTooLarge: something is larger than its ceiling or its descriptor.
	ErrTooLarge = errors.New("too large")
	// ErrDigestMismatch: the bytes are not the ones that were named.
	ErrDigestMismatch = errors.New("digest mismatch")
	// ErrManifest: the document is malformed, ambiguous or of unknown type.
	ErrManifest = errors.New("invalid manifest")
	// ErrArch: the image has nothing for this architecture.
	ErrArch = errors.New("wrong architecture")
	// ErrUnsigned: no signature at all was found, or the zero Signed was used.
	ErrUnsigned = errors.New("not signed")
	// ErrBadSignature: signatures were found, none is good under the
	// policy's keys.
	ErrBadSignature = errors.New("no good signature")
	// ErrIdentity: a good signature names another image.
	ErrIdentity = errors.New("signed for another name")
	// ErrEpoch: a good signature is older than the floor (rollback).
	ErrEpoch = errors.New("epoch below the floor")
	// ErrExpired: a good signature's expiry has passed, or is missing where
	// the policy wants one.
	ErrExpired = errors.New("signature expired")
	// ErrPolicy: the policy is malformed, or rejects the reference.
	ErrPolicy = errors.New("policy")
	// ErrKey: a key file is malformed, of an unsupported type, or the
	// password is wrong.
	ErrKey = errors.New("unusable key")
	// ErrLayer: a layer's bytes are the named ones, but their contents cannot
	// be unpacked.
	ErrLayer = errors.New("invalid layer")
	// ErrNotBootable: the image lacks what a bootable image promises.
	ErrNotBootable = errors.New("not a bootable image")
)
