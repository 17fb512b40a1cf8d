package main

import (
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
			vm, err := qemu.Start(cmd.Context(), o)
			if err != nil {
				return err
			}
			_, err = vm.Wait(cmd.Context())
			return err
		},
	}
	m.firmware.add(cmd, "firmware", "`firmware` at power-on")
	cmd.Flags().Var(&m.memory, "memory", "`size` of the machine's memory, as 2G or 900M")
	m.nic.add(cmd, "nic", "`model` of the network card")
	return cmd
}
