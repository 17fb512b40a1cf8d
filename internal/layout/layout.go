// Package layout names the paths that two lives of /init and the payload
// builder must agree on: where things lie in the payload's initramfs, and
// where the loader puts them for the runtime that wakes up behind kexec.
package layout

// Paths in the payload's initramfs, written by payload/image and read by
// package payload. All are relative to the root of the initramfs.
const (
	Init       = "init"                         // the static program of both lives
	PolicyJSON = "etc/slipway/policy.json"      // strict containers-policy.json(5) subset, keys inline
	BootPolicy = "etc/slipway/boot-policy.toml" // epoch floor, expiry, allow.*
	Config     = "etc/slipway/slipway.toml"     // the built-in configuration
	CA         = "etc/slipway/ca.pem"           // the payload's own TLS roots
	Payload    = "etc/slipway/payload.json"     // type PayloadInfo: version, build time
	Modules    = "lib/modules"                  // kernel modules and their indexes
)

// ESPConfig is the configuration's path on the EFI system partition.
const ESPConfig = "EFI/slipway/slipway.toml"

// Paths in the cpio that the loader appends to the next initramfs, relative
// to its root. They are read by package b2c.
const (
	HandoffDir     = "slipway"
	HandoffRoot    = "slipway/root.erofs"   // the image's root file system
	HandoffOptions = "slipway/handoff.json" // type Handoff, mode 0600
	HandoffReport  = "slipway/boot.json"    // report.Report so far
	HandoffModules = "slipway/modules"      // NN-name.ko, in load order
	HandoffInit    = "slipway/init"         // the runtime, for images whose own initramfs runs
)

// ReportPath is where the booted system finds the report.
const ReportPath = "/run/slipway/boot.json"

// PayloadInfo describes the payload to the loader inside it.
type PayloadInfo struct {
	Version string `json:"version"` // slipway version, as printed by slipway version
	Built   int64  `json:"built"`   // build time in Unix seconds: the clock is never earlier
	Demo    bool   `json:"demo"`    // built with throw-away keys: said on every boot
}

// Handoff tells the runtime what the loader decided.
type Handoff struct {
	Schema  int      `json:"schema"`  // HandoffSchema
	Root    string   `json:"root"`    // "direct" or "initrd"
	Release string   `json:"release"` // kernel release that must be running now
	Modules []string `json:"modules"` // files below HandoffModules, in load order
	// RootSHA256 is the root's hash before the jump; "" means do not check.
	RootSHA256 string `json:"root_sha256,omitempty"`
}

// HandoffSchema is the only schema this version writes and reads.
const HandoffSchema = 1
