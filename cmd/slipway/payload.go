package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/payload/image"
)

func payloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "payload",
		Short: "Build payloads and look into them",
		Args:  takes(),
		RunE:  help,
	}
	cmd.AddCommand(payloadBuildCommand(), payloadInspectCommand())
	return cmd
}

func printParts(w io.Writer, parts []image.Part) {
	fmt.Fprintln(w, "parts, in bytes:")
	for _, p := range parts {
		fmt.Fprintf(w, "%12d  %s\n", p.Size, p.Name)
	}
}
