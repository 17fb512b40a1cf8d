package qemu_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/qemu"
)

// These tests start no machine: their QEMU is missing, or is another program.

func TestStartRefuses(t *testing.T) {
	tests := map[string]struct {
		options qemu.Options
		want    error
	}{
		"no QEMU":        {qemu.Options{Binary: "no-such-qemu"}, qemu.ErrNoQEMU},
		"not QEMU":       {qemu.Options{Binary: "false"}, qemu.ErrStart},
		"options":        {qemu.Options{MemoryMiB: 1}, qemu.ErrMemory},
		"vars not there": {qemu.Options{Firmware: qemu.Firmware{Code: "/dev/null", Vars: "/no/such/file"}}, qemu.ErrFirmware},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tmp := t.TempDir()
			t.Setenv("TMPDIR", tmp)
			if _, err := qemu.Start(t.Context(), test.options); !errors.Is(err, test.want) {
				t.Errorf("expected %v, got %v", test.want, err)
			}
			if left, _ := filepath.Glob(tmp + "/*"); len(left) > 0 {
				t.Errorf("left behind %q", left)
			}
		})
	}
}

func TestStartSaysWhatQEMUSaid(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho no such device >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := qemu.Start(t.Context(), qemu.Options{Name: "odd", Binary: binary})
	if !errors.Is(err, qemu.ErrStart) || !strings.Contains(err.Error(), "start odd: ") || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("expected %v with QEMU's words, got %v", qemu.ErrStart, err)
	}
}

func TestStartTFailsTheTest(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var r recorder
	r.run(func(tb qemu.TB) {
		qemu.StartT(tb, qemu.Options{Binary: "false"})
		t.Error("the test went on")
	})
	if !r.fatal || !strings.Contains(r.text(), qemu.ErrStart.Error()) {
		t.Errorf("expected a fatal %v, got %q", qemu.ErrStart, r.text())
	}
	if left, _ := filepath.Glob(os.TempDir() + "/*"); len(left) > 0 {
		t.Errorf("left behind %q", left)
	}
}
