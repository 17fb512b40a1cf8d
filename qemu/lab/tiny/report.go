package tiny

import "encoding/json"

// Names that the image builder, the guest and the tests share.
const (
	// ReportDevice is where the guest writes its report.
	ReportDevice = "/dev/ttyS1"

	// Marker starts the console line that the guest prints last.
	Marker = "tiny: done"

	// SumsFile lists every regular file of the image in the form that
	// sha256sum -c reads, relative to /.
	SumsFile = "/usr/lib/tiny/SHA256SUMS"

	// CapFile is a file with a capability and a second hard link,
	// CapFileLink.
	CapFile     = "/usr/bin/capable"
	CapFileLink = "/usr/bin/capable-link"

	// CapXattr is CapFile's security.capability in hexadecimal: version 2,
	// effective, cap_net_raw permitted.
	CapXattr = "0100000200200000000000000000000000000000"
)

// bootJSON is slipway's own report, as docs/contracts.md promises it.
const bootJSON = "/run/slipway/boot.json"

// Report is what the guest found. Err lists what could not be found out.
type Report struct {
	Release string            `json:"release"` // uname -r
	Cmdline string            `json:"cmdline"` // /proc/cmdline without its newline
	Mounts  []Mount           `json:"mounts"`  // in the order of /proc/self/mountinfo
	Boot    json.RawMessage   `json:"boot,omitempty"`
	Etc     Access            `json:"etc"`
	Usr     Access            `json:"usr"`
	Var     Access            `json:"var"`
	Sums    map[string]string `json:"sums,omitempty"` // path to hex SHA-256
	Check   *Check            `json:"check,omitempty"`
	Walk    []string          `json:"walk,omitempty"` // of WalkLines: the root's file system

	Capability string   `json:"capability"` // of CapFile, in hexadecimal
	HardLink   bool     `json:"hardlink"`   // CapFile and CapFileLink are one inode
	MemTotal   int64    `json:"memtotal"`   // bytes
	MemFree    int64    `json:"memfree"`    // bytes available
	Uptime     float64  `json:"uptime"`     // seconds since this kernel started
	Modules    []string `json:"modules"`    // loaded, by name
	Err        []string `json:"err,omitempty"`
}

// Mount is one line of mountinfo with the columns of findmnt.
type Mount struct {
	Target  string `json:"target"`
	Source  string `json:"source"`
	FSType  string `json:"fstype"`
	Options string `json:"options"` // the mount's and the file system's, as findmnt joins them
}

// Access is the outcome of creating and removing a file in a directory.
type Access struct {
	Writable bool   `json:"writable"`
	FSType   string `json:"fstype"`
	Err      string `json:"err,omitempty"` // why not writable
}

// Check is the outcome of comparing the root with SumsFile.
type Check struct {
	Files   int      `json:"files"`             // in SumsFile
	Missing []string `json:"missing,omitempty"` // in SumsFile, not in the root
	Differ  []string `json:"differ,omitempty"`
	Extra   []string `json:"extra,omitempty"` // in the root, not in SumsFile
}

// Clean reports whether the root is exactly what the image promised.
func (c *Check) Clean() bool {
	return c != nil && c.Files > 0 && len(c.Missing)+len(c.Differ)+len(c.Extra) == 0
}

// Mount returns the mount whose file system holds path, the last one if
// several are stacked.
func (r *Report) Mount(path string) (Mount, bool) {
	var best Mount
	found := false
	for _, m := range r.Mounts {
		if covers(m.Target, path) && len(m.Target) >= len(best.Target) {
			best, found = m, true
		}
	}
	return best, found
}

// covers reports whether path is dir or lies below it.
func covers(dir, path string) bool {
	if dir == "/" || dir == path {
		return true
	}
	return len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}
