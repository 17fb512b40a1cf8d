package payload

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/config"
)

const testGUID = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"

// gptDisk makes the first sectors of a disk whose third entry has testGUID.
func gptDisk(sector int) []byte {
	disk := make([]byte, 40*sector)
	h := disk[sector:]
	copy(h, "EFI PART")
	le := binary.LittleEndian
	le.PutUint64(h[72:], 2)
	le.PutUint32(h[80:], 128)
	le.PutUint32(h[84:], 128)
	e := disk[2*sector+2*128:]
	e[0] = 1 // a type
	copy(e[16:], []byte{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b})
	return disk
}

func TestReadGPT(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		n, err := readGPT(bytes.NewReader(gptDisk(sector)), int64(sector), testGUID)
		if n != 3 || err != nil {
			t.Errorf("sector %d: expected partition 3, got %d, %v", sector, n, err)
		}
		if n, _ := readGPT(bytes.NewReader(gptDisk(sector)), int64(sector), "other"); n != 0 {
			t.Errorf("sector %d: found a partition that is not there: %d", sector, n)
		}
	}
	disk := gptDisk(512)
	binary.LittleEndian.PutUint32(disk[512+80:], 1<<31)
	if _, err := readGPT(bytes.NewReader(disk), 512, testGUID); err == nil {
		t.Error("a table with 2^31 entries was accepted")
	}
}

func FuzzReadGPT(f *testing.F) {
	f.Add(gptDisk(512))
	f.Fuzz(func(_ *testing.T, disk []byte) { _, _ = readGPT(bytes.NewReader(disk), 512, testGUID) })
}

func TestFindPartition(t *testing.T) {
	class, dev := t.TempDir(), t.TempDir()
	for name, number := range map[string]string{"nvme0n1/nvme0n1p1": "1", "nvme0n1/nvme0n1p3": "3", "sr0": ""} {
		if err := os.MkdirAll(filepath.Join(class, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if number != "" {
			if err := os.WriteFile(filepath.Join(class, name, "partition"), []byte(number+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dev, "nvme0n1"), gptDisk(512), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, ok := findPartition(class, dev, testGUID); !ok || got != filepath.Join(dev, "nvme0n1p3") {
		t.Errorf("expected nvme0n1p3, got %q", got)
	}
}

func TestSMBIOSCredential(t *testing.T) {
	dir := t.TempDir()
	table := filepath.Join(dir, "11-0")
	if err := os.Mkdir(table, 0o755); err != nil {
		t.Fatal(err)
	}
	raw := append([]byte{11, 5, 0, 1, 2}, "io.systemd.credential:other=1\x00io.systemd.credential:slipway.toml=schema = 1\x00\x00"...)
	if err := os.WriteFile(filepath.Join(table, "raw"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := smbiosCredential(dir, "slipway.toml"); string(got) != "schema = 1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := smbiosCredential(dir, "none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("expected ErrNotExist, got %v", err)
	}
	if err := os.WriteFile(filepath.Join(table, "raw"), []byte{11, 200, 0}, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := smbiosCredential(dir, "slipway.toml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a table that lies about its length: expected ErrNotExist, got %v", err)
	}
}

func TestUTF16(t *testing.T) {
	if got := utf16String([]byte{'a', 0, 0xe4, 0, 0, 0, 'x', 0}); got != "aä" {
		t.Errorf("got %q", got)
	}
}

func TestCollect(t *testing.T) {
	answers := make(chan answer, 3)
	answers <- answer{err: errors.New("eth0: no answer")}
	answers <- answer{lease: lease{}}
	start := time.Now()
	got, err := collect(answers, 3, 10*time.Millisecond) // the third never answers
	if err != nil || len(got) != 1 || time.Since(start) > 5*time.Second {
		t.Errorf("got %d leases, %v", len(got), err)
	}
	answers <- answer{err: errors.New("eth0: no answer")}
	answers <- answer{err: errors.New("eth1: no carrier")}
	if _, err := collect(answers, 2, time.Second); !errors.Is(err, ErrNoLease) {
		t.Errorf("expected ErrNoLease, got %v", err)
	}
}

func TestRescueTriesInOrder(t *testing.T) {
	var out bytes.Buffer
	log := bootlog.New(bootlog.Output{W: &out})
	c := config.Defaults()
	if err := c.ParseCmdline("slipway.reference=r.example/a:1 slipway.fallback=r.example/b:1 slipway.wait=1ms slipway.attempts=2", "test"); err != nil {
		t.Fatal(err)
	}
	cfg := &Config{Conf: c}
	for i, want := range []struct{ index, round int }{{1, 0}, {0, 1}, {1, 1}} {
		cfg = Rescue(context.Background(), cfg, &Failure{N: 2, Step: "fetch", Err: oci.ErrUnreachable}, log)
		if cfg.Index != want.index || cfg.Round != want.round || len(cfg.Tried) != i+1 {
			t.Fatalf("attempt %d: expected %v, got index %d round %d tried %d", i, want, cfg.Index, cfg.Round, len(cfg.Tried))
		}
	}
	if got := cfg.Tried[1]; got.Reference != "r.example/b:1" || got.Step != "fetch" {
		t.Errorf("tried: got %+v", got)
	}
	cfg = Rescue(context.Background(), &Config{Conf: c}, &Failure{N: 1, Step: "bring up", Err: ErrNoLease}, log)
	if cfg.Index != 0 || cfg.Round != 1 {
		t.Errorf("without network: expected a new round, got index %d round %d", cfg.Index, cfg.Round)
	}
}

func TestBackOff(t *testing.T) {
	for round, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 50: maxBackOff} {
		if got := backOff(time.Second, round); got != want {
			t.Errorf("round %d: expected %s, got %s", round, want, got)
		}
	}
}

func TestHints(t *testing.T) {
	for _, h := range hints {
		if got := Hint(fmt.Errorf("step: %w", h.err)); got != h.hint {
			t.Errorf("%v: expected its own hint, got %q", h.err, got)
		}
	}
	both := fmt.Errorf("%w: %w", oci.ErrCertificate, oci.ErrClock)
	if Hint(both) != Hint(oci.ErrClock) {
		t.Error("an expired certificate must hint at the clock first")
	}
	if Hint(errors.New("other")) != "" {
		t.Error("an unknown error got a hint")
	}
}
