package payload

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-boot/slipway/internal/kmod"
	"github.com/slipway-boot/slipway/internal/report"
)

// secureBootVar is the firmware's own (UEFI 2.10, section 3.3).
const secureBootVar = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

// report says what this attempt did so far.
func (m *machine) report() report.Report {
	m.watchMemory()
	r := report.Report{
		Version:       m.info.Version,
		Demo:          m.info.Demo,
		Reference:     m.reference(),
		Digest:        string(m.image.Digest()),
		Policy:        m.policy.Hash(),
		Fetched:       m.fetched,
		LoaderRSS:     peakRSS(),
		PayloadKernel: kmod.Release(),
		KernelRelease: m.root.release,
		Root:          m.root.way,
		RootSize:      m.root.size,
		RootSHA256:    m.root.sha256,
		Cmdline:       m.cmdline,
		Args:          m.args,
		Firmware:      firmware(),
		SecureBoot:    secureBoot(),
		Candidates:    m.cfg.Tried,
	}
	if i := m.image.Instance(); i != m.image.Digest() {
		r.Instance = string(i)
	}
	if total, err := meminfo("MemTotal:"); err == nil {
		r.PeakMemory = total - m.leastFree
	}
	for _, s := range m.image.Signers() {
		r.Signers = append(r.Signers, report.Signer{KeyID: s.KeyID, Format: s.Format, Signed: string(s.Signed)})
	}
	for _, v := range m.conf.Values() {
		r.Config = append(r.Config, report.Value{Key: v.Key, Value: v.Value, Origin: v.Origin})
	}
	for _, s := range m.log.Records() {
		if !s.Failed {
			r.Steps = append(r.Steps, report.Step{N: s.N, Name: s.Name, What: s.What, Seconds: s.Seconds})
		}
	}
	return r
}

func firmware() string {
	if _, err := os.Stat("/sys/firmware/efi"); err == nil {
		return "uefi"
	}
	return "bios"
}

func secureBoot() bool {
	data, err := os.ReadFile(filepath.Join(efivars, secureBootVar))
	return err == nil && len(data) == 5 && data[4] == 1
}

// peakRSS is the most memory this program itself ever held, in bytes.
func peakRSS() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Maxrss << 10
}
