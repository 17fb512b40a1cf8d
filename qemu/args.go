package qemu

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Files in the artifact directory.
const (
	ConsoleFile = "console.log" // console lines with the seconds since power-on
	ReportFile  = "report"      // what the guest wrote to its second serial port
	ErrorsFile  = "qemu.log"    // QEMU's own messages
	VarsFile    = "efivars.fd"  // this machine's UEFI variables
	RepeatFile  = "repeat.sh"   // runs the same machine again on a terminal
)

// Args returns QEMU's arguments, without the program's name. It looks at
// nothing but the options: files are not opened and paths are used as given.
// The result runs by itself in a shell, with the console on standard input
// and output; Start adds only its control channel. Dir must be set.
func (o Options) Args() ([]string, error) {
	o = o.withDefaults()
	if o.Dir == "" {
		return nil, fmt.Errorf("options: %w", ErrNoDir)
	}
	args := []string{"-name", comma(o.Name), "-nodefaults", "-no-user-config", "-display", "none"}
	parts := []func(Options) ([]string, error){
		machineArgs, firmwareArgs, kernelArgs, consoleArgs, diskArgs, nicArgs, dataArgs,
	}
	for _, part := range parts {
		more, err := part(o)
		if err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
		args = append(args, more...)
	}
	for _, arg := range args {
		if strings.ContainsRune(arg, 0) {
			return nil, fmt.Errorf("options: %w: %q", ErrValue, arg)
		}
	}
	return args, nil
}

// machineArgs describes board, processor, memory, clock and what every
// machine has: a source of entropy.
func machineArgs(o Options) ([]string, error) {
	if o.MemoryMiB < minMemoryMiB || o.MemoryMiB > maxMemoryMiB {
		return nil, fmt.Errorf("memory: %w: expected %d to %d MiB, got %d", ErrMemory, minMemoryMiB, maxMemoryMiB, o.MemoryMiB)
	}
	if o.CPUs < 1 || o.CPUs > maxCPUs {
		return nil, fmt.Errorf("cpus: %w: expected 1 to %d, got %d", ErrCPUs, maxCPUs, o.CPUs)
	}
	accel := "tcg"
	if o.KVM {
		accel = "kvm"
	}
	rtc := "base=utc"
	if !o.RTC.IsZero() {
		rtc = "base=" + o.RTC.UTC().Format("2006-01-02T15:04:05")
	}
	args := []string{
		"-machine", "q35,smbios-entry-point-type=32", "-accel", accel, "-cpu", o.CPU,
		"-smp", strconv.Itoa(o.CPUs), "-m", strconv.Itoa(o.MemoryMiB),
		"-rtc", rtc, "-device", "virtio-rng-pci",
	}
	if !o.Reboot {
		args = append(args, "-no-reboot")
	}
	if o.Display {
		args = append(args, "-device", "VGA,romfile=")
	}
	return args, nil
}

// firmwareArgs chooses the firmware. A UEFI firmware brings its own network
// boot, which would spend a minute on every card; it is told not to.
func firmwareArgs(o Options) ([]string, error) {
	fw := o.Firmware
	switch {
	case fw == Firmware{}:
		return nil, nil
	case fw.ROM != "" && (fw.Code != "" || fw.Vars != ""):
		return nil, fmt.Errorf("firmware: %w: both a ROM and UEFI volumes", ErrFirmware)
	case fw.ROM != "":
		return []string{"-bios", fw.ROM}, nil
	case fw.Code == "" || fw.Vars == "":
		return nil, fmt.Errorf("firmware: %w: expected Code and Vars together", ErrFirmware)
	}
	return []string{
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + comma(fw.Code),
		"-drive", "if=pflash,unit=1,format=raw,file=" + comma(filepath.Join(o.Dir, VarsFile)),
		"-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
		"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n",
	}, nil
}

// kernelArgs boots a kernel without firmware's help.
func kernelArgs(o Options) ([]string, error) {
	if o.Kernel == "" {
		if o.Initrd != "" || o.Cmdline != "" {
			return nil, fmt.Errorf("kernel: %w", ErrKernel)
		}
		return nil, nil
	}
	args := []string{"-kernel", o.Kernel}
	if o.Initrd != "" {
		args = append(args, "-initrd", o.Initrd)
	}
	if o.Cmdline != "" {
		args = append(args, "-append", o.Cmdline)
	}
	return args, nil
}

// consoleArgs wires the first serial port to standard input and output and
// the second one to the report file. signal=off hands Ctrl-C to the guest.
func consoleArgs(o Options) ([]string, error) {
	mux := "off" // with a multiplexer Ctrl-A would never reach the guest
	if o.Terminal != nil {
		mux = "on"
	}
	return []string{
		"-chardev", "stdio,id=console,signal=off,mux=" + mux,
		"-serial", "chardev:console",
		"-chardev", "file,id=report,path=" + comma(filepath.Join(o.Dir, ReportFile)),
		"-serial", "chardev:report",
	}, nil
}

// dataArgs hands small data to firmware and guest.
func dataArgs(o Options) ([]string, error) {
	var args []string
	for i, s := range o.SMBIOS {
		source, err := source("value", s.Value, "path", s.Path)
		if err != nil {
			return nil, fmt.Errorf("smbios %d: %w: %w", i, ErrSMBIOS, err)
		}
		args = append(args, "-smbios", "type=11,"+source)
	}
	for i, f := range o.FWCfg {
		if !strings.HasPrefix(f.Name, "opt/") || len(f.Name) > 55 {
			return nil, fmt.Errorf("fw_cfg %d: %w: expected a name opt/... of at most 55 bytes, got %q", i, ErrFWCfg, f.Name)
		}
		source, err := source("string", f.Value, "file", f.Path)
		if err != nil {
			return nil, fmt.Errorf("fw_cfg %s: %w: %w", f.Name, ErrFWCfg, err)
		}
		args = append(args, "-fw_cfg", "name="+comma(f.Name)+","+source)
	}
	return args, nil
}

// source writes the option for a value given either directly or by a file.
func source(valueKey, value, pathKey, path string) (string, error) {
	switch {
	case (value == "") == (path == ""):
		return "", errors.New("expected either a value or a file")
	case len(value) > maxText:
		return "", fmt.Errorf("expected at most %d bytes, got %d: use a file", maxText, len(value))
	case path != "":
		return pathKey + "=" + comma(path), nil
	}
	return valueKey + "=" + comma(value), nil
}

// comma escapes a value for QEMU's key=value lists.
func comma(value string) string { return strings.ReplaceAll(value, ",", ",,") }

// oneOf reports whether value is one of the allowed ones.
func oneOf[T comparable](value T, allowed ...T) bool { return slices.Contains(allowed, value) }
