# Runs on the host, in a root that mmdebstrap just made ($1): turns a Debian
# into a bootc image, whose kernel and initramfs lie below /usr/lib/modules.
set -eu
root=$1
release=$(ls "$root/usr/lib/modules")
modules=/usr/lib/modules/$release

# The package dracut-config-generic says hostonly=no; nothing else is set.
chroot "$root" dracut --quiet --reproducible --kver "$release" "$modules/initramfs.img"
for name in vmlinuz System.map config; do
	mv "$root/boot/$name-$release" "$root$modules/$name"
done
if [ -n "$(ls -A "$root/boot")" ]; then
	echo "E: /boot is not empty:" "$root"/boot/* >&2
	exit 1
fi

chroot "$root" passwd --quiet --delete root
chroot "$root" setcap cap_net_raw+ep /usr/bin/ping
