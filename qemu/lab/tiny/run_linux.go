package tiny

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// needed are the file systems the guest cannot do without; whoever started
// it may have mounted them already.
var needed = [...]struct{ target, fstype string }{
	{"/proc", "proc"},
	{"/sys", "sysfs"},
	{"/dev", "devtmpfs"},
	{"/run", "tmpfs"},
}

// Run does the guest's work and returns what to print on the console. The
// caller powers the machine off.
func Run() string {
	mountErr := mountMissing()
	r := &Report{}
	r.note(mountErr)
	r.collect()
	if err := r.send(ReportDevice); err != nil {
		return fmt.Sprintf("%s: %v", Marker, err)
	}
	return fmt.Sprintf("%s: %s", Marker, r.Release)
}

func mountMissing() error {
	var errs []error
	for _, n := range needed {
		if mounted(n.target) {
			continue
		}
		if err := unix.Mount(n.fstype, n.target, n.fstype, 0, ""); err != nil {
			errs = append(errs, fmt.Errorf("mount(%s): %w", n.target, err))
		}
	}
	return errors.Join(errs...)
}

// mounted compares devices, which works before /proc is there.
func mounted(path string) bool {
	var dir, root unix.Stat_t
	if unix.Stat(path, &dir) != nil || unix.Stat("/", &root) != nil {
		return false
	}
	return dir.Dev != root.Dev
}

func (r *Report) note(err error) {
	if err != nil {
		r.Err = append(r.Err, err.Error())
	}
}

// text reads a small file of /proc and notes a failure.
func (r *Report) text(path string) string {
	b, err := os.ReadFile(path)
	r.note(err)
	return strings.TrimSpace(string(b))
}

func (r *Report) collect() {
	r.Cmdline = r.text("/proc/cmdline")
	o, err := parseOrder(r.Cmdline)
	r.note(err)
	time.Sleep(o.wait)
	r.machine()
	r.Etc, r.Usr, r.Var = r.probe("/etc"), r.probe("/usr"), r.probe("/var")
	r.note(r.readBoot(bootJSON))
	r.capFile()
	root := os.DirFS("/")
	r.Sums = map[string]string{}
	for _, path := range o.sums {
		sum, err := sumFile(root, strings.TrimPrefix(path, "/"))
		r.note(err)
		r.Sums[path] = sum
	}
	if o.checkHash {
		r.Check, err = checkSums(root)
		r.note(err)
	}
	if o.walk {
		r.Walk, err = walkRoot()
		r.note(err)
	}
}

// machine fills in what the kernel says about itself.
func (r *Report) machine() {
	var u unix.Utsname
	r.note(unix.Uname(&u))
	r.Release = unix.ByteSliceToString(u.Release[:])
	var err error
	r.Mounts, err = parseMountinfo(r.text("/proc/self/mountinfo"))
	r.note(err)
	for line := range strings.Lines(r.text("/proc/meminfo")) {
		if f := strings.Fields(line); len(f) == 3 {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			switch f[0] {
			case "MemTotal:":
				r.MemTotal = n << 10
			case "MemAvailable:":
				r.MemFree = n << 10
			}
		}
	}
	if f := strings.Fields(r.text("/proc/uptime")); len(f) > 0 {
		r.Uptime, _ = strconv.ParseFloat(f[0], 64)
	}
	for line := range strings.Lines(r.text("/proc/modules")) {
		name, _, _ := strings.Cut(line, " ")
		r.Modules = append(r.Modules, name)
	}
}

// readBoot takes over slipway's report, which is missing on a plain boot.
func (r *Report) readBoot(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !json.Valid(b) {
		return fmt.Errorf("%s: not valid JSON", path)
	}
	r.Boot = b
	return nil
}

// probe creates a file in dir and removes it again.
func (r *Report) probe(dir string) Access {
	var a Access
	if m, ok := r.Mount(dir); ok {
		a.FSType = m.FSType
	}
	path := dir + "/.probe"
	err := os.WriteFile(path, []byte("probe\n"), 0o600)
	if err != nil {
		a.Err = err.Error()
		return a
	}
	a.Writable = true
	r.note(os.Remove(path))
	return a
}

func (r *Report) capFile() {
	buf := make([]byte, 64)
	n, err := unix.Getxattr(CapFile, "security.capability", buf)
	if err != nil {
		r.note(fmt.Errorf("getxattr(%s): %w", CapFile, err))
	} else {
		r.Capability = hex.EncodeToString(buf[:n])
	}
	a, err := os.Stat(CapFile)
	r.note(err)
	b, err := os.Stat(CapFileLink)
	r.note(err)
	r.HardLink = a != nil && b != nil && os.SameFile(a, b)
}

// send writes the report as one line and waits until it has left.
func (r *Report) send(device string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	f, err := os.OpenFile(device, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, 1); err != nil && !errors.Is(err, unix.ENOTTY) {
		return fmt.Errorf("report: ioctl(%s, TCSBRK): %w", device, err)
	}
	return nil
}

// Console prints a line where a person would look.
func Console(line string) {
	f, err := os.OpenFile("/dev/console", os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		io.WriteString(os.Stdout, line+"\n")
		return
	}
	defer f.Close()
	io.WriteString(f, line+"\n")
}

// PowerOff ends the machine. It returns only if the kernel refuses.
func PowerOff() error {
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		return fmt.Errorf("reboot(POWER_OFF): %w", err)
	}
	return nil
}
