package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is a server's executable and the environment it needs.
type program struct {
	path string
	env  []string
}

// server unpacks a program's package, and those of its dependencies that the
// host lacks, into the cache. Servers are not installed: that would start a
// service and could push out another one, as chrony does to
// systemd-timesyncd. The host's own copy is left alone too: an AppArmor
// profile could keep it from our files.
func (l *Lab) server(ctx context.Context, name, pkg string) (program, error) {
	s, err := l.hostSuite(ctx)
	if err != nil {
		return program{}, fmt.Errorf("unpack %s: %w", pkg, err)
	}
	var dir string
	err = s.fresh(ctx, func() error {
		newest, err := s.show(ctx, pkg)
		if err != nil {
			return err
		}
		dir, err = l.once(ctx, "unpacked-"+pkg+"_"+newest[0].Version, func(dir string) error {
			return l.unpack(ctx, s, pkg, dir)
		})
		return err
	})
	if err != nil {
		return program{}, fmt.Errorf("unpack %s: %w", pkg, err)
	}
	libs := filepath.Join(dir, "usr/lib/x86_64-linux-gnu") + ":" + filepath.Join(dir, "lib/x86_64-linux-gnu")
	for _, bin := range []string{"usr/bin", "usr/sbin"} {
		if p, err := exec.LookPath(filepath.Join(dir, bin, name)); err == nil {
			return program{path: p, env: []string{"LD_LIBRARY_PATH=" + libs}}, nil
		}
	}
	return program{}, fmt.Errorf("unpack %s: %w: %s", pkg, ErrTool, name)
}

func (l *Lab) unpack(ctx context.Context, s *suite, pkg, dir string) error {
	names, err := s.wanted(ctx, "--reinstall", pkg)
	if err != nil {
		return err
	}
	list, err := s.show(ctx, names...)
	if err != nil {
		return err
	}
	l.say("downloading %s (unpacked into the cache, not installed)", strings.Join(names, ", "))
	debs, err := s.download(ctx, dir, list)
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if _, err := run(ctx, "dpkg-deb", "-x", deb, dir); err != nil {
			return err
		}
		if err := os.Remove(deb); err != nil {
			return err
		}
	}
	return nil
}

// wanted names the packages that apt-get install would fetch, given what the
// suite's status file says is installed.
func (s *suite) wanted(ctx context.Context, args ...string) ([]string, error) {
	out, err := s.run(ctx, "", append([]string{"apt-get", "--print-uris", "--yes", "install"}, args...)...)
	if err != nil {
		return nil, err
	}
	return parseURIs(string(out)), nil
}

// parseURIs takes the package names out of apt-get --print-uris, whose lines
// read 'URI' name_version_arch.deb size hash.
func parseURIs(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.HasPrefix(f[0], "'") || !strings.HasSuffix(f[1], ".deb") {
			continue
		}
		name, _, _ := strings.Cut(f[1], "_")
		names = append(names, name)
	}
	return names
}
