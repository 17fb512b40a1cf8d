package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// HostPackage is a Debian package with tools that the project calls.
type HostPackage struct {
	Name string
	Why  string
	Test bool // only tests need it, the demo does not
}

// HostPackages lists every package that `slipway demo` and the tests need.
// None of them runs a service.
func HostPackages() []HostPackage {
	return []HostPackage{
		{Name: "qemu-system-x86", Why: "virtual machines"},
		{Name: "ovmf", Why: "UEFI firmware for them"},
		{Name: "systemd-boot-efi", Why: "the stub of unified kernel images"},
		{Name: "mmdebstrap", Why: "the Debian boot image"},
		{Name: "mount", Why: "/proc and /dev while mmdebstrap works"},
		{Name: "kmod", Why: "depmod for the tiny boot image"},
		{Name: "debian-archive-keyring", Why: "signatures of the Debian archive"},
		{Name: "erofs-utils", Why: "fsck.erofs and dump.erofs as judges", Test: true},
		{Name: "dosfstools", Why: "fsck.fat as judge", Test: true},
		{Name: "mtools", Why: "reading FAT file systems", Test: true},
		{Name: "cpio", Why: "unpacking initramfs as judge", Test: true},
		{Name: "flashrom", Why: "writing a simulated chip", Test: true},
		{Name: "coreboot-utils", Why: "cbfstool and fmaptool as judges", Test: true},
		{Name: "gdisk", Why: "sgdisk as judge", Test: true},
	}
}

const (
	aptLockTimeout = 5 * time.Minute
	aptLockPoll    = 5 * time.Second
	aptInterval    = 2 * time.Second // between two of apt-get's lines
)

// EnsurePackages installs those of the named packages that the host lacks,
// and returns their names. It waits for another package manager to finish,
// installs no recommended packages and never removes any. The error wraps
// [ErrNotRoot] or [ErrNetwork] where that is the reason.
func (l *Lab) EnsurePackages(ctx context.Context, names ...string) (installed []string, err error) {
	missing, err := missingPackages(ctx, names)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	list := strings.Join(missing, " ")
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("packages: %w: apt-get install %s", ErrNotRoot, list)
	}
	unlock, err := l.lock(ctx, l.Cache+"/apt.lock")
	if err != nil {
		return nil, fmt.Errorf("packages: %w", err)
	}
	defer unlock()
	l.say("installing Debian packages: %s", list)
	if err = l.install(ctx, missing); err != nil {
		// Old or missing package lists are the usual reason. A repository
		// that does not answer may be one that is not needed.
		update := l.aptGet(ctx, "update")
		if err = l.install(ctx, missing); err != nil && update != nil {
			err = update
		}
	}
	if err != nil {
		return nil, fmt.Errorf("packages: %s: %w", list, err)
	}
	return missing, nil
}

func (l *Lab) install(ctx context.Context, names []string) error {
	return l.aptGet(ctx, append([]string{"install", "--yes", "--no-install-recommends", "--no-remove"}, names...)...)
}

// aptGet runs the host's own apt-get and tells what it fetches and sets up.
func (l *Lab) aptGet(ctx context.Context, args ...string) error {
	var last time.Time
	lines := &tailWriter{line: func(line string) {
		busy := strings.HasPrefix(line, "Get:") || strings.HasPrefix(line, "Setting up ")
		if strings.HasPrefix(line, "Need to get ") || busy && time.Since(last) >= aptInterval {
			last = time.Now()
			l.say("apt-get: %s", line)
		}
	}}
	timeout := fmt.Sprintf("DPkg::Lock::Timeout=%d", int(aptLockTimeout.Seconds()))
	all := append([]string{"apt-get", "-q", "-o", timeout, "-o", "APT::Update::Error-Mode=any"}, args...)
	for deadline := time.Now().Add(aptLockTimeout); ; {
		_, err := cmd{args: all, stdout: lines}.run(ctx)
		// The lists have a lock of their own, for which apt does not wait.
		if err == nil || !strings.Contains(err.Error(), "Could not get lock") || time.Now().After(deadline) {
			return networkError(err)
		}
		l.say("waiting for another apt-get to finish")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(aptLockPoll):
		}
	}
}

// missingPackages asks dpkg which of the names are not installed.
func missingPackages(ctx context.Context, names []string) ([]string, error) {
	args := append([]string{"dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"}, names...)
	out, err := cmd{args: args}.run(ctx)
	// dpkg-query fails when it does not know one of the names.
	if err != nil && !strings.Contains(err.Error(), "no packages found") {
		return nil, fmt.Errorf("packages: %w", err)
	}
	return notInstalled(string(out), names), nil
}

// notInstalled reads lines of "name status". Two architectures of a package
// are two lines.
func notInstalled(status string, names []string) []string {
	installed := map[string]bool{}
	for line := range strings.Lines(status) {
		name, s, _ := strings.Cut(strings.TrimSpace(line), " ")
		installed[name] = installed[name] || s == "installed"
	}
	var missing []string
	for _, n := range names {
		if !installed[n] {
			missing = append(missing, n)
		}
	}
	return missing
}

// noNetwork is what apt says when it cannot reach a mirror.
func noNetwork() []string {
	return []string{"Temporary failure resolving", "Could not resolve", "Could not connect",
		"Unable to connect", "Network is unreachable", "Cannot initiate the connection"}
}

// networkError marks an error of apt that is about the network.
func networkError(err error) error {
	if err == nil || errors.Is(err, ErrNetwork) {
		return err
	}
	for _, text := range noNetwork() {
		if strings.Contains(err.Error(), text) {
			return fmt.Errorf("%w: %w", ErrNetwork, err)
		}
	}
	return err
}
