// Command slipway is the operator's tool: keys and signatures, what a
// reference would do, building payloads, and running them in QEMU.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/version"
	"github.com/slipway-boot/slipway/payload"
)

// Exit codes (docs/contracts.md).
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// usageError is a call that cannot mean anything, unlike one that failed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func run(ctx context.Context, args []string) int {
	root := command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "slipway: error: %v\n", err)
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(os.Stderr, "slipway: hint: %s\n", hint)
	}
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

// hinted is an error of the command line itself that knows what to do next.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

func hintFor(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return payload.Hint(err)
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "slipway",
		Short:         "Boot machines from signed container images",
		Long:          "slipway builds boot payloads that fetch a signed bootc image over HTTPS,\nverify it against a baked-in policy, and start the image's own kernel.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version.String(),
		Args:          usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetVersionTemplate("slipway {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{hinted{err, "see " + cmd.CommandPath() + " --help"}}
	})
	root.AddCommand(keygenCommand(), signCommand(), verifyCommand(), planCommand(),
		payloadCommand(), runCommand(), demoCommand(), versionCommand())
	return root
}

// usageArgs makes a wrong number of arguments a usage error.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{hinted{err, "see " + cmd.CommandPath() + " --help"}}
		}
		return nil
	}
}

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(cmd, map[string]string{"version": version.String()})
			}
			cmd.Println("slipway " + version.String())
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.SetOut(os.Stdout)
	return cmd
}
