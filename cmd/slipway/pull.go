package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload"
)

// What pull writes into a directory.
const (
	pulledRoot      = "root.erofs"
	pulledKernel    = "vmlinuz"
	pulledInitramfs = "initramfs.img"
	pulledCmdline   = "cmdline"
	pulledFacts     = "image.json"
	erofsSuffix     = ".erofs"
)

// pulled is pull's answer, and what image.json holds.
type pulled struct {
	verified
	KernelRelease string        `json:"kernel_release"`
	Kargs         []payload.Arg `json:"kargs"` // of the image, with the file in kargs.d
	RootSize      int64         `json:"root_size"`
	Fetched       int64         `json:"bytes_fetched"`
	Layers        int           `json:"layers"`
}

// pulling is what pull was called with.
type pulling struct {
	clientFlags
	policy, output string
	force          bool
}

func pullCommand() *cobra.Command {
	var o pulling
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "pull REFERENCE --policy FILE --output DIR|FILE.erofs",
		Short: "Fetch an image, verify it and unpack what it boots with",
		Long:  "pull fetches, verifies and extracts an image as the loader does. FILE.erofs gets\nthe root file system; DIR gets root.erofs, vmlinuz, initramfs.img, cmdline with\nthe arguments of the image's kargs.d, and image.json. Nothing appears there\nbefore all of it was verified.",
		Args:  takes("REFERENCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.output == "" || strings.HasPrefix(o.output, "oci:") {
				return wrongCall(cmd, fmt.Errorf("--output: expected DIR or FILE%s, got %q", erofsSuffix, o.output))
			}
			p, files, err := o.pull(cmd, args[0])
			if err != nil {
				return showRefused(cmd, asJSON, err)
			}
			if asJSON {
				return printJSON(cmd, p)
			}
			return printPulled(cmd.OutOrStdout(), p, files)
		},
	}
	o.add(cmd)
	policyFlag(cmd, &o.policy)
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "`place` to write to: a directory, or a file for the root alone if it ends in .erofs")
	_ = cmd.MarkFlagRequired("output")
	cmd.Flags().BoolVar(&o.force, "force", false, "overwrite files that exist")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// pull returns what it pulled and the names of the files.
func (o *pulling) pull(cmd *cobra.Command, reference string) (p *pulled, files []string, err error) {
	to := o.destination()
	if err := to.free(); err != nil { // before anything is fetched
		return nil, nil, err
	}
	a, err := o.accept(cmd, reference, o.policy)
	if err != nil {
		return nil, nil, err
	}
	s, err := newStaging(to)
	if err != nil {
		return nil, nil, err
	}
	defer s.discard()
	root, err := s.create(pulledRoot)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	defer showProgress(a.client, cmd.ErrOrStderr())()
	b, err := a.client.Extract(cmd.Context(), a.image, root)
	if err != nil {
		return nil, nil, err
	}
	p = newPulled(a, b)
	if !to.single() {
		err = writeBootFiles(s, p, b)
	}
	if err = errors.Join(err, root.Sync()); err == nil {
		files, err = s.publish()
	}
	if err != nil {
		return nil, nil, err
	}
	return p, files, nil
}

// destination says where to write. What ends in .erofs is one file, unless it
// is a directory.
func (o *pulling) destination() destination {
	info, err := os.Stat(o.output)
	if strings.HasSuffix(o.output, erofsSuffix) && (err != nil || !info.IsDir()) {
		return destination{filepath.Dir(o.output), []pulledName{{pulledRoot, filepath.Base(o.output)}}, o.force}
	}
	d := destination{dir: o.output, force: o.force}
	for _, name := range []string{pulledRoot, pulledKernel, pulledInitramfs, pulledCmdline, pulledFacts} {
		d.names = append(d.names, pulledName{name, name})
	}
	return d
}

func newPulled(a *accepted, b *oci.Bundle) *pulled {
	p := &pulled{
		verified: *a.answer(), KernelRelease: b.Release, Kargs: []payload.Arg{},
		RootSize: b.RootSize, Fetched: b.Fetched, Layers: b.Layers,
	}
	for _, k := range b.Kargs {
		p.Kargs = append(p.Kargs, payload.Arg{Value: k.Value, Origin: k.Origin})
	}
	return p
}

// writeBootFiles writes what a directory gets beside the root.
func writeBootFiles(s *staging, p *pulled, b *oci.Bundle) error {
	facts, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	var args []string
	for _, k := range b.Kargs {
		args = append(args, k.Value)
	}
	return errors.Join(
		s.write(pulledKernel, b.Kernel),
		s.write(pulledInitramfs, b.Initramfs),
		s.write(pulledCmdline, strings.NewReader(strings.Join(args, " ")+"\n")),
		s.write(pulledFacts, strings.NewReader(string(facts)+"\n")),
	)
}

func printPulled(w io.Writer, p *pulled, files []string) error {
	t := newTable(w)
	t.verified(&p.verified)
	t.row("fetched", "%s in %d layers", bootlog.Bytes(p.Fetched), p.Layers)
	t.row("kernel", "%s", p.KernelRelease)
	t.row("root", "%s", bootlog.Bytes(p.RootSize))
	for i, file := range files {
		name := ""
		if i == 0 {
			name = "written"
		}
		t.row(name, "%s", file)
	}
	return t.flush()
}
