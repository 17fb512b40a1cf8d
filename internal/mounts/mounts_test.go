package mounts

import (
	"path/filepath"
	"testing"
)

func TestMounted(t *testing.T) {
	if !mounted("/proc") {
		t.Error("/proc is a mount point")
	}
	if mounted(t.TempDir()) || mounted(filepath.Join(t.TempDir(), "missing")) {
		t.Error("a plain directory is none")
	}
}

// TestAllLeavesMountsAlone needs no rights: what is mounted is not touched.
func TestAllLeavesMountsAlone(t *testing.T) {
	if err := All([]Mount{{Source: "proc", Target: "/proc", Type: "proc"}}); err != nil {
		t.Error(err)
	}
	target := filepath.Join(t.TempDir(), "new")
	if err := All([]Mount{{Source: "x", Target: target, Type: "nosuchfs", Optional: true}}); err != nil {
		t.Errorf("optional: %v", err)
	}
	if err := All([]Mount{{Source: "x", Target: target, Type: "nosuchfs"}}); err == nil {
		t.Error("a file system that does not exist was mounted")
	}
}
