package uki

import (
	"bytes"
	"debug/pe"
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	maxSections = 96      // what PE loaders take
	maxImage    = 1 << 30 // bytes of a finished image
	pageSize    = 4096    // what firmware protects memory by

	flagsData = pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ
	flagsCode = pe.IMAGE_SCN_CNT_CODE | pe.IMAGE_SCN_MEM_EXECUTE | pe.IMAGE_SCN_MEM_READ
)

// Names of the sections that Assemble adds.
const (
	sectionOSRelease = ".osrel"
	sectionCmdline   = ".cmdline"
	sectionUname     = ".uname"
	sectionInitrd    = ".initrd"
	sectionLinux     = ".linux"
	sectionSBAT      = ".sbat"
	sectionStub      = ".sdmagic"
)

// Spec says what goes into an image. Stub and Linux are required.
type Spec struct {
	Stub      []byte    // systemd-stub, for example linuxx64.efi.stub
	Linux     []byte    // an x86 bzImage with an EFI entry
	Initrd    []byte    // none if empty
	Cmdline   string    // printable ASCII
	OSRelease string    // os-release(5): how boot menus name the image; none if empty
	Built     time.Time // stamped into the header; zero means 1970
}

// Assemble returns the finished image. Errors: ErrFormat, ErrMachine,
// ErrTooLarge, ErrCmdline.
func Assemble(s Spec) ([]byte, error) {
	stub, err := readStub(s.Stub)
	if err != nil {
		return nil, fmt.Errorf("uki: stub: %w", err)
	}
	kernel, err := checkKernel(s.Linux, stub)
	if err != nil {
		return nil, fmt.Errorf("uki: %w", err)
	}
	if err := CheckCmdline(s.Cmdline, kernel); err != nil {
		return nil, fmt.Errorf("uki: %w", err)
	}
	if s.Built.IsZero() {
		s.Built = time.Unix(0, 0)
	}
	if u := s.Built.Unix(); u < 0 || u > math.MaxUint32 {
		return nil, fmt.Errorf("uki: build time %s: %w: expected a year from 1970 to 2106", s.Built.Format(time.RFC3339), ErrTooLarge)
	}
	image, err := stub.with(s.sections(kernel), uint32(s.Built.Unix()))
	if err != nil {
		return nil, fmt.Errorf("uki: %w", err)
	}
	return image, nil
}

// CheckCmdline tells whether a kernel takes a command line as it is. Error:
// ErrCmdline.
func CheckCmdline(cmdline string, k *Kernel) error {
	if !printable(cmdline) {
		return fmt.Errorf("%w: expected printable ASCII, got %q", ErrCmdline, cmdline)
	}
	if len(cmdline) > k.Cmdline {
		return fmt.Errorf("%w: expected at most %d bytes, got %d", ErrCmdline, k.Cmdline, len(cmdline))
	}
	return nil
}

// sections lists what to add. The kernel comes last: a stub that starts it in
// place needs room behind it.
func (s Spec) sections(k *Kernel) []section {
	var list []section
	for _, x := range []section{
		{sectionOSRelease, []byte(s.OSRelease), flagsData},
		{sectionCmdline, []byte(s.Cmdline), flagsData},
		{sectionUname, []byte(k.Release), flagsData},
		{sectionInitrd, s.Initrd, flagsData},
		{sectionLinux, s.Linux, flagsCode},
	} {
		if len(x.data) > 0 {
			list = append(list, x)
		}
	}
	return list
}

// checkKernel makes sure that the stub can start the kernel.
func checkKernel(linux []byte, stub *stub) (*Kernel, error) {
	k, err := ParseKernel(bytes.NewReader(linux))
	if err != nil {
		return nil, err
	}
	f, err := openPE(bytes.NewReader(linux))
	if err != nil {
		return nil, fmt.Errorf("kernel %s: it has no EFI entry (CONFIG_EFI_STUB): %w", k.Release, err)
	}
	if f.Machine != stub.file.Machine {
		return nil, fmt.Errorf("kernel %s: %w: it is for %s, the stub for %s", k.Release, ErrMachine, machineName(f.Machine), machineName(stub.file.Machine))
	}
	return k, nil
}

// machineName names the machines that have a systemd-stub.
func machineName(m uint16) string {
	for _, x := range []struct {
		machine uint16
		name    string
	}{
		{pe.IMAGE_FILE_MACHINE_AMD64, "amd64"},
		{pe.IMAGE_FILE_MACHINE_ARM64, "arm64"},
		{pe.IMAGE_FILE_MACHINE_I386, "386"},
		{pe.IMAGE_FILE_MACHINE_RISCV64, "riscv64"},
	} {
		if m == x.machine {
			return x.name
		}
	}
	return fmt.Sprintf("machine %#x", m)
}

// reserved reports whether a section's name marks a finished image.
func reserved(name string) bool {
	const added = sectionOSRelease + sectionCmdline + sectionUname + sectionInitrd + sectionLinux
	return name != "" && strings.Contains(added+".", name+".")
}
