package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/payload/pack"
	"github.com/slipway-boot/slipway/qemu"
	"github.com/slipway-boot/slipway/qemu/demo"
)

func runCommand() *cobra.Command {
	var memory, nic string
	cmd := &cobra.Command{
		Use:   "run PAYLOAD",
		Short: "Boot a payload in QEMU with this terminal as its console",
		Long:  "run boots a disk image under OVMF, with a network card on QEMU's user\nnetwork (this machine's loopback is 10.0.2.2). Ctrl-A x ends it.",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := machineFor(args[0])
			if err != nil {
				return err
			}
			bytes, err := parseSize(memory)
			if err != nil {
				return usageError{err}
			}
			o.MemoryMiB, o.NICs = int(bytes>>20), []qemu.NIC{{Model: qemu.NICModel(nic)}}
			if o.Dir, err = os.MkdirTemp("", "slipway-run-"); err != nil {
				return err
			}
			defer os.RemoveAll(o.Dir)
			o.Reboot, o.Terminal = true, &qemu.Terminal{In: os.Stdin, Out: os.Stdout}
			vm, err := qemu.Start(cmd.Context(), o)
			if err != nil {
				return err
			}
			_, err = vm.Wait(cmd.Context())
			return err
		},
	}
	cmd.Flags().StringVar(&memory, "memory", "2G", "`size` of the machine's memory")
	cmd.Flags().StringVar(&nic, "nic", string(qemu.VirtioNet), "network card: virtio-net-pci or e1000e")
	return cmd
}

// machineFor makes a machine that boots the payload under OVMF.
func machineFor(file string) (qemu.Options, error) {
	info, err := pack.Inspect(file)
	if err != nil {
		return qemu.Options{}, err
	}
	if info.Format != pack.Disk {
		return qemu.Options{}, fmt.Errorf("%s: expected a disk image, got %s: build one with --format disk", file, info.Format)
	}
	firmware, err := qemu.OVMF()
	return qemu.Options{Name: filepath.Base(file), Firmware: firmware, Disks: []qemu.Disk{{Path: file, Snapshot: true}}}, err
}

func demoCommand() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Build, sign and boot a Debian image in QEMU, and prove it",
		Long:  "demo builds a real Debian bootc image, pushes it to a registry on this machine,\nsigns it, builds a payload and boots that under OVMF in QEMU. It needs root to\ninstall Debian packages and to build the image.",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Geteuid() != 0 {
				return hinted{errors.New("demo: root rights are needed to build a Debian root file system"), "run it through sudo: sudo make demo"}
			}
			var err error
			if o.Program, err = os.Executable(); err != nil {
				return err
			}
			if o.Cache == "" {
				if o.Cache, err = defaultCache(); err != nil {
					return err
				}
			}
			o.Out = cmd.OutOrStdout()
			if _, err = demo.Run(cmd.Context(), o); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			if !o.Interactive {
				fmt.Fprintln(o.Out, "\ndemo: passed: the signed image booted, and only it")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "build/demo", "`directory` for keys, payload and logs")
	cmd.Flags().StringVar(&o.Cache, "cache", "", "`directory` for downloads and built images (default $SLIPWAY_CACHE or ~/.cache/slipway)")
	cmd.Flags().IntVar(&o.MemoryMiB, "memory", demo.DefaultMemoryMiB, "the machine's memory in `MiB`")
	cmd.Flags().StringVar(&o.Root, "root", "auto", strings.Join([]string{"auto", "direct", "initrd"}, ", "))
	cmd.Flags().BoolVar(&o.Interactive, "interactive", false, "leave the console to you")
	return cmd
}

// defaultCache is the directory that the tests share.
func defaultCache() (string, error) {
	if dir := os.Getenv("SLIPWAY_CACHE"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "slipway"), err
}
