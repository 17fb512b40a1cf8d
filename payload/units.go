package payload

// initrdUnits make the image's own initramfs find the root that lies beside
// it: a service that assembles it at /sysroot, and a drop-in that makes the
// initramfs wait for it. With no root= on the command line systemd and dracut
// look for no other (systemd's bootup(7), initrd-root-fs.target).
var initrdUnits = []row{
	{"etc/systemd/system/slipway-sysroot.service", 0o644, []byte(`[Unit]
Description=Mount the verified image at /sysroot
DefaultDependencies=no
ConditionPathExists=/etc/initrd-release
Before=initrd-root-fs.target
OnFailure=emergency.target
OnFailureJobMode=replace-irreversibly

[Service]
Type=oneshot
RemainAfterExit=yes
StandardOutput=journal+console
StandardError=journal+console
ExecStart=/slipway/init sysroot
`)},
	{"etc/systemd/system/initrd-root-fs.target.d/slipway.conf", 0o644, []byte(`[Unit]
Requires=slipway-sysroot.service
After=slipway-sysroot.service
`)},
}
