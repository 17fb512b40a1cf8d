package payload

import (
	"errors"

	"github.com/slipway-boot/slipway/kexecer"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
)

// hints says what to do next, for each error that has an answer. The first
// row that matches counts, so causes come before what they cause.
var hints = []struct {
	err  error
	hint string
}{
	{config.ErrConfig, "correct the configuration at the place named; docs/man/slipway.toml.5.md lists every key"},
	{ErrNoLink, "connect a network card this payload has a driver for, or build the payload with its module"},
	{ErrNoLease, "check the cable, the switch port and the DHCP server of this network"},
	{oci.ErrClock, "the clock or the certificate is wrong: set the clock, or name a time server with ntp = [\"HOST\"]"},
	{oci.ErrCertificate, "build the payload with the CA that issued the registry's certificate, or correct the registry's name"},
	{oci.ErrRedirect, "the registry sends its clients elsewhere: correct its set-up or name the right registry"},
	{oci.ErrDenied, "the registry wants a login, or the repository's name is wrong"},
	{oci.ErrRefused, "the registry's own log says why it refuses this request"},
	{oci.ErrArch, "build the image for this machine's architecture too"},
	{oci.ErrNotFound, "check the reference: repository, tag and digest"},
	{oci.ErrReference, "write the reference as registry.example/path:tag or registry.example/path@sha256:…"},
	{oci.ErrUnsigned, "sign the image: slipway sign REFERENCE --key FILE"},
	{oci.ErrIdentity, "sign the image under the name it is booted by, or add an identity to the policy"},
	{oci.ErrEpoch, "this is an older image than the policy allows: sign a newer one with a higher epoch"},
	{oci.ErrExpired, "sign the image again with a later expiry"},
	{oci.ErrBadSignature, "sign the image with a key of this payload's policy, or build a payload with the key it was signed by"},
	{oci.ErrPolicy, "the policy is part of the payload: only a new payload changes it"},
	{oci.ErrDigestMismatch, "the registry or the network changed the bytes: push the image again, and check the registry's storage"},
	{oci.ErrTooLarge, "the image or the registry's answer is larger than any real one"},
	{oci.ErrNotBootable, "boot a bootc image: one kernel and initramfs in /usr/lib/modules/VERSION, label containers.bootc=1"},
	{oci.ErrLayer, "build and push the image again"},
	{oci.ErrManifest, "push the image again with a current tool"},
	{ErrMemory, "use a smaller image, or give the machine more memory"},
	{kexecer.ErrMemory, "use a smaller image, or give the machine more memory"},
	{kexecer.ErrRefused, "check that the image's kernel is a bzImage for this machine, and signed if Secure Boot is on"},
	{kexecer.ErrNotPermitted, "Secure Boot's lockdown forbids this: sign the image's kernel with a key the firmware trusts"},
	{kexecer.ErrUnsupported, "build the payload with a kernel that has CONFIG_KEXEC_FILE"},
	// An image that was refused for a reason of its own may also have had a
	// mirror or origin that did not answer: the reason comes first.
	{oci.ErrUnreachable, "check that the registry runs and that this network reaches it"},
	{kexecer.ErrCmdline, "shorten or correct the kernel arguments in the image's kargs.d or the configuration"},
}

// Hint returns what to do about err, or "".
func Hint(err error) string {
	for _, h := range hints {
		if errors.Is(err, h.err) {
			return h.hint
		}
	}
	return ""
}
