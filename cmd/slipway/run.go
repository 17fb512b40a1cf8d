package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/qemu"
)

func runCommand() *cobra.Command {
	m := machine{
		memory:   2 << 30,
		nic:      newChoice(string(qemu.VirtioNet), string(qemu.E1000E)),
		firmware: newChoice(ovmf, seabios),
	}
	cmd := &cobra.Command{
		Use:   "run PAYLOAD",
		Short: "Boot a payload in QEMU with this terminal as its console",
		Long: "run boots a disk image, or a UKI on a disk made for it, with a network card on\n" +
			"QEMU's user network (this machine's loopback is 10.0.2.2). Under ovmf the\n" +
			"machine boots as a real one does; seabios is for quick tries: QEMU starts the\n" +
			"payload's kernel itself. Nothing is written to the payload. Ctrl-A x ends it.",
		Args: takes("PAYLOAD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := os.MkdirTemp("", "slipway-run-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			o, err := m.options(args[0], dir)
			if err != nil {
				return err
			}
			o.Terminal = &qemu.Terminal{In: os.Stdin, Out: cmd.OutOrStdout()}
			return boot(cmd.Context(), o)
		},
	}
	m.firmware.add(cmd, "firmware", "`firmware` at power-on")
	cmd.Flags().Var(&m.memory, "memory", "`size` of the machine's memory, as 2G or 900M")
	m.nic.add(cmd, "nic", "`model` of the network card")
	return cmd
}

// boot runs a machine to its end. It is the payload's own affair whether it
// powers off or is told to.
func boot(ctx context.Context, o qemu.Options) error {
	vm, err := qemu.Start(ctx, o)
	if err != nil {
		return err
	}
	exit, err := vm.Wait(ctx)
	if err == nil && (exit.Reason == qemu.Panic || exit.Reason == qemu.Crashed) {
		err = fmt.Errorf("run: %s: expected a shutdown, got %s", o.Name, exit)
	}
	return err
}
