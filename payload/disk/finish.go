package disk

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"time"
)

// Where the numbers are that go-diskfs leaves out or takes from the clock.
const (
	backupBootSector = 6 // and the second FSInfo behind it
	offHiddenSectors = 28
	offSerial        = 67
	offFreeClusters  = sectorSize + 488 // in FSInfo, the sector behind the boot sector
	offNextCluster   = sectorSize + 492
)

// finish overwrites those numbers: the serial number, the partition's place on
// the disk, the count of free clusters, and the directories' times.
func finish(f *os.File, size int64, built time.Time, serial uint32) error {
	vol, err := openVolume(io.NewSectionReader(f, margin, size), size)
	if err != nil {
		return err
	}
	free, next := vol.free()
	for _, copyAt := range []int64{margin, margin + backupBootSector*sectorSize} {
		for _, x := range []struct {
			off   int64
			value uint32
		}{{offHiddenSectors, margin / sectorSize}, {offSerial, serial}, {offFreeClusters, free}, {offNextCluster, next}} {
			if _, err := f.WriteAt(binary.LittleEndian.AppendUint32(nil, x.value), copyAt+x.off); err != nil {
				return err
			}
		}
	}
	date, clock := fatTime(built)
	return vol.walk(func(e dirent) error {
		var b [dirEntryLen]byte
		if _, err := f.ReadAt(b[:], margin+e.at); err != nil {
			return err
		}
		finishEntry(b[:], e.cluster == vol.root, date, clock)
		_, err := f.WriteAt(b[:], margin+e.at)
		return err
	})
}

// finishEntry sets an entry's times. The entry ".." of a directory in the root
// has to say cluster 0; go-diskfs writes the root's number.
func finishEntry(b []byte, pointsToRoot bool, date, clock uint16) {
	le := binary.LittleEndian
	b[13] = 0 // tenths of a second
	le.PutUint16(b[14:], clock)
	le.PutUint16(b[16:], date)
	le.PutUint16(b[18:], date)
	le.PutUint16(b[22:], clock)
	le.PutUint16(b[24:], date)
	if pointsToRoot && bytes.HasPrefix(b, []byte("..")) {
		le.PutUint16(b[20:], 0)
		le.PutUint16(b[26:], 0)
	}
}

// fatTime encodes a time in UTC, to two seconds.
func fatTime(t time.Time) (date, clock uint16) {
	t = t.UTC()
	if t.Year() < 1980 || t.Year() > 2107 {
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	date = uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day())
	clock = uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
	return date, clock
}
