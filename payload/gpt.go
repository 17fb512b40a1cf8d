package payload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Limits of a GUID partition table (UEFI 2.10, section 5.3): what firmware
// and partitioning tools write is 128 entries of 128 bytes.
const (
	maxPartitions = 256
	maxEntrySize  = 4096
)

// findPartition looks through the partition tables of all disks for uuid and
// returns the partition's device node.
func findPartition(class, dev, uuid string) (string, bool) {
	disks, _ := os.ReadDir(class)
	for _, d := range disks {
		sys := filepath.Join(class, d.Name())
		if _, err := os.Stat(filepath.Join(sys, "partition")); err == nil {
			continue
		}
		n, err := partitionNumber(filepath.Join(dev, d.Name()), uuid)
		if err != nil || n == 0 {
			continue // not a GPT disk, or not this one
		}
		if name, ok := partitionName(sys, n); ok {
			return filepath.Join(dev, name), true
		}
	}
	return "", false
}

// partitionName asks sysfs how the kernel calls partition n of a disk.
func partitionName(sysDisk string, n int) (string, bool) {
	parts, _ := filepath.Glob(filepath.Join(sysDisk, "*", "partition"))
	for _, p := range parts {
		if data, err := os.ReadFile(p); err == nil && strings.TrimSpace(string(data)) == fmt.Sprint(n) {
			return filepath.Base(filepath.Dir(p)), true
		}
	}
	return "", false
}

// partitionNumber returns the number of the partition with this GUID on disk,
// 0 if it has none.
func partitionNumber(disk, uuid string) (int, error) {
	f, err := os.Open(disk)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for _, sector := range []int64{512, 4096} {
		if n, err := readGPT(f, sector, uuid); err != nil || n > 0 {
			return n, err
		}
	}
	return 0, nil
}

func readGPT(r io.ReaderAt, sector int64, uuid string) (int, error) {
	header := make([]byte, 92)
	if _, err := r.ReadAt(header, sector); err != nil || string(header[:8]) != "EFI PART" {
		return 0, nil
	}
	le := binary.LittleEndian
	start, count, size := int64(le.Uint64(header[72:])), le.Uint32(header[80:]), le.Uint32(header[84:])
	if count > maxPartitions || size < 128 || size > maxEntrySize || start <= 0 {
		return 0, fmt.Errorf("partition table: %d entries of %d bytes", count, size)
	}
	entry := make([]byte, size)
	for i := range count {
		if _, err := r.ReadAt(entry, start*sector+int64(i)*int64(size)); err != nil {
			return 0, err
		}
		if !bytes.Equal(entry[:16], make([]byte, 16)) && guid(entry[16:32]) == uuid {
			return int(i) + 1, nil
		}
	}
	return 0, nil
}

// guid formats 16 bytes as firmware stores them: three little-endian numbers,
// then bytes in order.
func guid(b []byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}
