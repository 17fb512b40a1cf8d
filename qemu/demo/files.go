package demo

// policyJSON is the demo's policy: nothing boots but images of this registry's
// os/ namespace, signed by the demo's key.
const policyJSON = `{
  "default": [{"type": "reject"}],
  "transports": {
    "docker": {
      "registry.slipway.test/os": [{
        "type": "sigstoreSigned",
        "keyPath": "demo.pub",
        "signedIdentity": {"type": "matchRepository"}
      }]
    }
  }
}
`

// bootPolicyTOML is the rest of the policy.
const bootPolicyTOML = `schema = 1
epoch = 1

[allow]
kargs = ["console=*", "quiet", "no_timer_check"]
`

// slipwayTOML is the configuration: reference, root, registry's name and
// where it is. no_timer_check is for QEMU on a busy host, whose emulated timer
// may be too late for the kernel's test of it.
const slipwayTOML = `schema = 1
reference = %q
root = %q
kargs = ["no_timer_check"]

[mirrors]
%q = [%q]
`

// proofUnit runs in the booted system once it is up. It is handed over the
// firmware's SMBIOS strings as a systemd credential, so nothing of it is in
// the image; systemd places it in /run (systemd.system-credentials(7)).
const proofUnit = `[Unit]
Description=Tell the demo what was booted
After=multi-user.target

[Service]
Type=exec
StandardOutput=journal
ExecStart=/bin/sh -c '{ \
echo "== release"; uname -r; \
echo "== state"; systemctl is-system-running --wait; \
echo "== failed"; systemctl --failed --no-legend --plain --no-pager; \
echo "== findmnt"; findmnt -J; \
echo "== cmdline"; cat /proc/cmdline; \
echo "== boot.json"; cat /run/slipway/boot.json; \
echo "== where"; systemctl show -P FragmentPath slipway-proof.service; \
echo "== end"; } >/dev/ttyS1; systemctl poweroff'
`

// proofWants makes multi-user.target start the unit.
const proofWants = "[Unit]\nWants=slipway-proof.service\n"
