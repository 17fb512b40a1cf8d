package flash_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

func TestBackup(t *testing.T) {
	backup := save(t, flashtest.NewNOR(oldROM(), 0))
	again, err := flash.OpenBackup(backup.Path())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "backup", oldROM(), again.Snapshot().Contents())
	if again.SHA256() != backup.SHA256() || again.Snapshot().Size() != modelSize {
		t.Errorf("expected %s, got %s", backup.SHA256(), again.SHA256())
	}
	info, err := os.Stat(backup.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("expected mode 0600, got %v, %v", info.Mode(), err)
	}
	cmd := "cd " + filepath.Dir(backup.Path()) + " && sha256sum -c chip.bin.sha256"
	if out := run(t, "sh", "-c", cmd); !strings.Contains(out, "chip.bin: OK") {
		t.Errorf("sha256sum -c: got %q", out)
	}
}

func TestBackupNeverOverwrites(t *testing.T) {
	snap, err := flash.Read(t.Context(), flashtest.NewNOR(oldROM(), 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, existing := range []string{"chip.bin", "chip.bin.sha256"} {
		path := filepath.Join(t.TempDir(), "chip.bin")
		there := filepath.Join(filepath.Dir(path), existing)
		if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := snap.Save(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s exists: expected %v, got %v", existing, fs.ErrExist, err)
		}
		files, err := os.ReadDir(filepath.Dir(path))
		text, readErr := os.ReadFile(there)
		if err != nil || readErr != nil || len(files) != 1 || string(text) != "mine" {
			t.Errorf("%s exists: expected it alone and untouched, got %v, %q", existing, files, text)
		}
	}
	if _, err := snap.Save(filepath.Join(t.TempDir(), "none", "chip.bin")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: expected %v, got %v", fs.ErrNotExist, err)
	}
}

func TestOpenBackupRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(path string) error
		want   error
	}{
		{"a bit is wrong", func(path string) error { return os.WriteFile(path, patch(oldROM(), 7, 1), 0o600) }, flash.ErrBackup},
		{"cut off", func(path string) error { return os.Truncate(path, modelSize/2) }, flash.ErrBackup},
		{"no hash", func(path string) error { return os.Remove(path + ".sha256") }, fs.ErrNotExist},
		{"empty hash", func(path string) error { return os.Truncate(path+".sha256", 0) }, flash.ErrBackup},
		{"short hash", func(path string) error { return os.Truncate(path+".sha256", 62) }, flash.ErrBackup},
		{"no backup", os.Remove, fs.ErrNotExist},
	} {
		path := save(t, flashtest.NewNOR(oldROM(), 0)).Path()
		if err := c.change(path); err != nil {
			t.Fatal(err)
		}
		if _, err := flash.OpenBackup(path); !errors.Is(err, c.want) {
			t.Errorf("%s: expected %v, got %v", c.name, c.want, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	noisy := flashtest.NewNOR(oldROM(), 0)
	noisy.NoiseEvery = 2
	if _, err := flash.Read(t.Context(), noisy, nil); !errors.Is(err, flash.ErrUnstable) {
		t.Errorf("noise: expected %v, got %v", flash.ErrUnstable, err)
	}
	if _, err := flash.Read(t.Context(), flashtest.NewNOR(make([]byte, 5000), 0), nil); !errors.Is(err, flash.ErrGeometry) {
		t.Errorf("odd size: expected %v, got %v", flash.ErrGeometry, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := flash.Read(ctx, flashtest.NewNOR(oldROM(), 0), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: expected %v, got %v", context.Canceled, err)
	}
}

func TestReadImage(t *testing.T) {
	if data, err := flash.ReadImage(file(t, newROM())); err != nil || len(data) != modelSize {
		t.Errorf("expected %d bytes, got %d, %v", modelSize, len(data), err)
	}
	huge := file(t, nil)
	if err := os.Truncate(huge, flash.MaxChipSize+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{huge: flash.ErrImage, huge + ".none": fs.ErrNotExist} {
		if _, err := flash.ReadImage(path); !errors.Is(err, want) {
			t.Errorf("expected %v, got %v", want, err)
		}
	}
}
