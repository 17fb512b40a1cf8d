// Command needs installs the Debian packages that the demo and the tests call,
// if the machine lacks any, and says which. It needs root rights only then,
// and asks for them through sudo.
//
// Usage: needs [-test] [PACKAGE...]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/slipway-boot/slipway/qemu/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	test := flag.Bool("test", false, "also what only tests call")
	flag.Parse()
	if err := ensure(ctx, names(lab.HostPackages(), *test, flag.Args()), os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "needs: error: %v\n", err)
		os.Exit(1)
	}
}

// names lists the packages to install: the table's and the extra ones.
func names(table []lab.HostPackage, test bool, extra []string) []string {
	var out []string
	for _, p := range table {
		if test || !p.Test {
			out = append(out, p.Name)
		}
	}
	return append(out, extra...)
}

// ensure installs what is missing. The lab's cache is used for a lock only,
// and the one of a process run by sudo must not be the user's.
func ensure(ctx context.Context, names []string, log io.Writer) error {
	cache, err := os.MkdirTemp("", "slipway-needs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	l := &lab.Lab{Cache: cache, Progress: func(line string) { fmt.Fprintln(log, line) }}
	installed, err := l.EnsurePackages(ctx, names...)
	if errors.Is(err, lab.ErrNotRoot) {
		return asRoot(ctx, err)
	}
	if err == nil && len(installed) > 0 {
		fmt.Fprintf(log, "installed: %s\n", strings.Join(installed, " "))
	}
	return err
}

// asRoot runs this program again by sudo. why says what for.
func asRoot(ctx context.Context, why error) error {
	sudo, err := exec.LookPath("sudo")
	if err != nil {
		return fmt.Errorf("%w; there is no sudo, so run it as root", why)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "needs: %v (asking sudo)\n", why)
	cmd := exec.CommandContext(ctx, sudo, append([]string{self}, os.Args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
