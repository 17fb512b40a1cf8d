// Package version knows what slipway calls itself.
package version

import (
	"runtime/debug"
)

// Version is the release that this source becomes.
const Version = "0.1.0"

// String returns Version, with the commit it was built from where the build
// knows it.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Version
	}
	var revision, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = "+" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return Version + revision + dirty
}
