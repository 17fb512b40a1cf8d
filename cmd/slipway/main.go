// Command slipway is the operator's tool: keys and signatures, what a
// reference would do, building payloads, and running them in QEMU.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/version"
)

// Exit codes (docs/contracts.md).
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// streams are what the program reads and writes. Those that are a terminal
// get questions and progress.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, s streams) int {
	root := command(s)
	root.SetArgs(args)
	return explain(ctx, s.err, root.ExecuteContext(ctx))
}

func command(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "slipway",
		Short:         "Boot machines from signed container images",
		Long:          "slipway builds boot payloads that fetch a signed bootc image over HTTPS,\nverify it against a baked-in policy, and start the image's own kernel.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version.String(),
		Args:          takes(),
		RunE:          help,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetVersionTemplate("slipway {{.Version}}\n")
	root.SetFlagErrorFunc(wrongCall)
	root.AddCommand(keygenCommand(), signCommand(), verifyCommand(), planCommand(), pullCommand(),
		policyCommand(), payloadCommand(), runCommand(), demoCommand(), versionCommand())
	strictDefaults(root)
	return root
}

// strictDefaults makes the commands that cobra adds refuse wrong calls too;
// on their own they print help and succeed. They remember where root writes,
// so that has to be set.
func strictDefaults(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = knownTopic
		case "completion":
			cmd.Args, cmd.RunE = takes(), help
			for _, shell := range cmd.Commands() {
				shell.Args = takes()
			}
		}
	}
}

// help is what a command does that only holds others.
func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(cmd, map[string]string{"version": version.String()})
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "slipway "+version.String())
			return err
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
