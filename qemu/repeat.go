package qemu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// writeRepeat writes the script that runs the machine again with its console
// on the terminal. What that run leaves behind goes into a directory of its
// own, so that it does not replace the evidence. Writable disks are not put
// back to what they were.
func (o Options) writeRepeat() error {
	again := o.withDefaults()
	again.Dir, again.Terminal = filepath.Join(o.Dir, "repeat"), &Terminal{}
	args, err := again.Args()
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh -e\n# Runs the virtual machine %q again. Ctrl-A x ends it.\n", o.Name)
	fmt.Fprintf(&b, "mkdir -p %s\n", quote(again.Dir))
	if o.Firmware.Vars != "" {
		fmt.Fprintf(&b, "cp %s %s\n", quote(o.Firmware.Vars), quote(filepath.Join(again.Dir, VarsFile)))
	}
	fmt.Fprintf(&b, "exec %s", quote(again.Binary))
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			b.WriteString(" \\\n ")
		}
		b.WriteString(" " + quote(arg))
	}
	b.WriteString("\n")
	if err := os.WriteFile(filepath.Join(o.Dir, RepeatFile), []byte(b.String()), 0o700); err != nil {
		return fmt.Errorf("repeat script: %w", err)
	}
	return nil
}

// quote quotes a word for a POSIX shell if it needs it.
func quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./%@"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// inputs returns pointers to the paths of all files the machine reads.
func (o *Options) inputs() []*string {
	paths := []*string{&o.Kernel, &o.Initrd, &o.Firmware.Code, &o.Firmware.Vars, &o.Firmware.ROM}
	for i := range o.Disks {
		paths = append(paths, &o.Disks[i].Path)
	}
	for i := range o.SMBIOS {
		paths = append(paths, &o.SMBIOS[i].Path)
	}
	for i := range o.FWCfg {
		paths = append(paths, &o.FWCfg[i].Path)
	}
	return paths
}

// clone returns a copy that shares no slice whose elements inputs points to.
func (o Options) clone() Options {
	o.Disks = append([]Disk(nil), o.Disks...)
	o.SMBIOS = append([]OEMString(nil), o.SMBIOS...)
	o.FWCfg = append([]FWCfg(nil), o.FWCfg...)
	return o
}

// absolute returns the options with absolute paths, for a script that runs
// from anywhere.
func (o Options) absolute() (Options, error) {
	o = o.clone()
	for _, path := range append(o.inputs(), &o.Dir) {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return Options{}, fmt.Errorf("options: %w", err)
		}
		*path = abs
	}
	return o, nil
}

// keepInputs gives the machine's inputs a second name in its directory, so
// that the repeat script still finds them when the test's temporary files are
// gone. Files on another file system are left where they are.
func (o Options) keepInputs() error {
	o = o.clone()
	for i, path := range o.inputs() {
		if *path == "" {
			continue
		}
		kept := filepath.Join(o.Dir, fmt.Sprintf("input%d-%s", i, filepath.Base(*path)))
		if os.Link(*path, kept) == nil {
			*path = kept
		}
	}
	return o.writeRepeat()
}
