package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/qemu/demo"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	memory := size(demo.DefaultMemoryMiB << 20)
	root := newChoice("auto", "direct", "initrd")
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Build, sign and boot a Debian image in QEMU, and prove it",
		Long:  "demo builds a real Debian bootc image, pushes it to a registry on this machine,\nsigns it, builds a payload and boots that under OVMF in QEMU. It needs root to\ninstall Debian packages and to build the image.",
		Args:  takes(),
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
			o.Out, o.Root, o.MemoryMiB = cmd.OutOrStdout(), root.value, int(memory.mebibytes())
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
	cmd.Flags().Var(&memory, "memory", "`size` of the machine's memory, as 2G or 900M")
	root.add(cmd, "root", "`way` to the root file system")
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
