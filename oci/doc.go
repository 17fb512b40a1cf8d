// Package oci turns an image reference into verified boot files.
//
// The way is straight: ParseReference, Client.Fetch, Policy.Verify,
// Client.Extract. Fetch returns a Signed, in which nothing is trusted; Verify
// is the only way from there to an Image, and only an Image can be extracted.
package oci
