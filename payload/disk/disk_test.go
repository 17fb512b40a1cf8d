package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var built = time.Date(2026, 11, 20, 10, 30, 15, 0, time.UTC)

// write makes an image in a temporary directory and returns its path.
func write(t testing.TB, o Options) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(f, o); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func sample() Options {
	return Options{Built: built, Files: []File{
		{BootPath, bytes.Repeat([]byte("boot"), 100_000)},
		{"EFI/slipway/slipway.toml", []byte("schema = 1\n")},
		{"EFI/slipway/a rather long name.txt", []byte("x")},
	}}
}

// tool runs a program and returns what it prints.
func tool(t *testing.T, pkg, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/usr/sbin", name)
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s is missing: install the Debian package %s", name, pkg)
		}
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

// esp copies the partition out of an image, holes as holes.
func esp(t *testing.T, image string, size int64) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "esp.img")
	tool(t, "coreutils", "dd", "if="+image, "of="+file, "bs=1M", "skip=1", fmt.Sprintf("count=%d", size/mebibyte), "conv=sparse", "status=none")
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTools has others check an image: sgdisk, fsck.fat and mtools.
func TestTools(t *testing.T) {
	image := write(t, sample())
	if out := tool(t, "gdisk", "sgdisk", "-v", image); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk -v: %s", out)
	}
	if out := tool(t, "gdisk", "sgdisk", "-i", "1", image); !strings.Contains(out, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B") {
		t.Errorf("sgdisk -i: %s", out)
	}
	checkFAT(t, esp(t, image, minSize))
	list := tool(t, "mtools", "mdir", "-/", "-b", "-i", image+"@@1M", "::")
	for _, want := range []string{"::/EFI/BOOT/BOOTX64.EFI", "::/EFI/slipway/slipway.toml", "::/EFI/slipway/a rather long name.txt"} {
		if !strings.Contains(list, want+"\n") {
			t.Errorf("mdir: no %s in\n%s", want, list)
		}
	}
	if out := tool(t, "mtools", "mdir", "-i", image+"@@1M", "::/EFI/BOOT"); !strings.Contains(out, "2026-11-20  10:30") {
		t.Errorf("mdir: no time %v in\n%s", built, out)
	}
	copied := filepath.Join(t.TempDir(), "out")
	tool(t, "mtools", "mcopy", "-i", image+"@@1M", "::/"+BootPath, copied)
	if got, err := os.ReadFile(copied); err != nil || !bytes.Equal(got, sample().Files[0].Data) {
		t.Errorf("mcopy: got %d bytes, %v", len(got), err)
	}
}

func checkFAT(t *testing.T, image string) {
	t.Helper()
	out := tool(t, "dosfstools", "fsck.fat", "-n", "-v", image)
	for _, bad := range []string{"ixing", "uninitialized", "wrong", "only space", "nvalid"} {
		if strings.Contains(out, bad) {
			t.Errorf("fsck.fat complains:\n%s", out)
		}
	}
}

// TestSizes makes file systems of many sizes, those around 64 MiB and where
// clusters grow among them, and has fsck.fat look at each.
func TestSizes(t *testing.T) {
	for _, mib := range []int64{48, 49, 63, 65, 66, 100, 260, 262, 300} {
		if !sound(mib * mebibyte) {
			t.Errorf("%d MiB: not sound", mib)
			continue
		}
		f, err := os.Create(filepath.Join(t.TempDir(), "disk.img"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		size := mib * mebibyte
		if err := errors.Join(f.Truncate(size+2*margin), writeTable(f, size, identity(sample())), writeFiles(f, size, sample()), finish(f, size, built, 1)); err != nil {
			t.Fatal(err)
		}
		checkFAT(t, esp(t, f.Name(), size))
	}
}

func TestPartitionSize(t *testing.T) {
	for content, want := range map[int64]int64{0: 48, 22 << 20: 48, 22<<20 + 1: 49, 30 << 20: 65, 128 << 20: 260, 129 << 20: 262} {
		if got, err := partitionSize(content); err != nil || got != want<<20 {
			t.Errorf("%d bytes: got %d MiB, %v, want %d MiB", content, got>>20, err, want)
		}
	}
	if _, err := partitionSize(maxSize / 2); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if sound(64 << 20) {
		t.Error("64 MiB is known to fail fsck.fat")
	}
}

func TestReproducible(t *testing.T) {
	one, err := os.ReadFile(write(t, sample()))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "86400") // what go-diskfs reads must not matter
	time.Sleep(2 * time.Second)            // FAT's resolution
	two, err := os.ReadFile(write(t, sample()))
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("two images of the same options differ: %v", err)
	}
	other := sample()
	other.Files[1].Data = []byte("schema = 2\n")
	three, err := os.ReadFile(write(t, other))
	if err != nil || bytes.Equal(one[sectorSize:2*sectorSize], three[sectorSize:2*sectorSize]) {
		t.Error("other content has the same disk GUID")
	}
}

func open(t testing.TB, image string) *ESP {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestOpen(t *testing.T) {
	e := open(t, write(t, sample()))
	files := e.Files()
	if len(files) != 3 {
		t.Fatalf("got %+v", files)
	}
	for i, want := range sample().Files {
		if got := files[i]; got.Path != want.Path || got.Size != int64(len(want.Data)) || !got.ModTime.Equal(built.Truncate(2*time.Second)) {
			t.Errorf("got %+v, want %s", got, want.Path)
		}
		r, err := e.Open(strings.ToUpper(want.Path))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want.Data) {
			t.Errorf("%s: got %d bytes, %v", want.Path, len(got), err)
		}
	}
	if _, err := e.Open("EFI/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

// TestReadForeign reads what mkfs.fat and mtools made, with scattered clusters,
// a deleted file and an empty one.
func TestReadForeign(t *testing.T) {
	image := write(t, sample())
	at := image + "@@1M"
	dir := t.TempDir()
	local := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	tool(t, "dosfstools", "mkfs.fat", "-F", "32", "-n", "OTHER", "--offset", fmt.Sprint(margin/sectorSize), image, fmt.Sprint(48<<10))
	big := bytes.Repeat([]byte("0123456789"), 30_000)
	tool(t, "mtools", "mcopy", "-i", at, local("a", big[:5000]), "::/a")
	tool(t, "mtools", "mcopy", "-i", at, local("b", []byte("b")), "::/b")
	tool(t, "mtools", "mdel", "-i", at, "::/a")
	tool(t, "mtools", "mmd", "-i", at, "::/Sub Directory")
	tool(t, "mtools", "mcopy", "-i", at, local("big", big), "::/Sub Directory/ümläut file.bin")
	tool(t, "mtools", "mcopy", "-i", at, local("none", nil), "::/none")
	e := open(t, image)
	for path, want := range map[string][]byte{"B": []byte("b"), "Sub Directory/ümläut file.bin": big, "none": nil} {
		r, err := e.Open(path)
		if err != nil {
			t.Errorf("%s: %v in %+v", path, err, e.Files())
			continue
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, %v", path, len(got), err)
		}
		if len(want) > 20_000 {
			part := make([]byte, 9000)
			if _, err := r.ReadAt(part, 4321); err != nil || !bytes.Equal(part, want[4321:][:9000]) {
				t.Errorf("%s: ReadAt: %v", path, err)
			}
		}
	}
	if len(e.Files()) != 3 {
		t.Errorf("got %+v", e.Files())
	}
}

func TestWriteRefuses(t *testing.T) {
	one := []byte("x")
	for name, tc := range map[string]struct {
		o    Options
		want error
	}{
		"absolute":   {Options{Files: []File{{"/a", one}}}, ErrName},
		"dot dot":    {Options{Files: []File{{"../a", one}}}, ErrName},
		"colon":      {Options{Files: []File{{"a:b", one}}}, ErrName},
		"umlaut":     {Options{Files: []File{{"ä", one}}}, ErrName},
		"long":       {Options{Files: []File{{strings.Repeat("a", 256), one}}}, ErrName},
		"twice":      {Options{Files: []File{{"a", one}, {"A", one}}}, ErrName},
		"label":      {Options{Label: "TWELVE CHARS"}, ErrName},
		"lower case": {Options{Label: "label"}, ErrName},
		"empty":      {Options{Files: []File{{"a", nil}}}, nil},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "disk.img"))
		if err != nil {
			t.Fatal(err)
		}
		err = Write(f, tc.o)
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
		f.Close()
	}
}

func TestFATTime(t *testing.T) {
	for in, want := range map[time.Time]time.Time{
		built:                              built.Truncate(2 * time.Second),
		{}:                                 time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(0, 0):                    time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(1<<33, 0):                time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
		built.In(time.FixedZone("", 3600)): built.Truncate(2 * time.Second),
	} {
		date, clock := fatTime(in)
		if got := (dirent{date: date, clock: clock}).modTime(); !got.Equal(want) {
			t.Errorf("%v: got %v, want %v", in, got, want)
		}
	}
}

// TestOpenRefuses damages an image in one place each.
func TestOpenRefuses(t *testing.T) {
	good, err := os.ReadFile(write(t, sample()))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	table := func(b []byte) { // makes checksums match again
		le.PutUint32(b[sectorSize+88:], crc32.ChecksumIEEE(b[2*sectorSize:34*sectorSize]))
		le.PutUint32(b[sectorSize+16:], 0)
		le.PutUint32(b[sectorSize+16:], crc32.ChecksumIEEE(b[sectorSize:][:gptHeaderLen]))
	}
	fat := margin + reservedSectors*sectorSize
	root := int(open(t, write(t, sample())).vol.data) + margin
	for name, tc := range map[string]struct {
		edit func(b []byte)
		want error
	}{
		"signature":       {func(b []byte) { b[sectorSize] = 0 }, ErrFormat},
		"header checksum": {func(b []byte) { b[sectorSize+56]++ }, ErrFormat},
		"entry checksum":  {func(b []byte) { b[2*sectorSize+56]++ }, ErrFormat},
		"header size":     {func(b []byte) { le.PutUint32(b[sectorSize+12:], 1<<31) }, ErrFormat},
		"entries":         {func(b []byte) { le.PutUint32(b[sectorSize+80:], 1<<31); table(b) }, ErrFormat},
		"no ESP":          {func(b []byte) { b[2*sectorSize]++; table(b) }, ErrNoESP},
		"partition end":   {func(b []byte) { le.PutUint64(b[2*sectorSize+40:], 1<<40); table(b) }, ErrFormat},
		"partition order": {func(b []byte) { le.PutUint64(b[2*sectorSize+40:], 5); table(b) }, ErrFormat},
		"boot sector":     {func(b []byte) { b[margin+510] = 0 }, ErrFormat},
		"FAT16":           {func(b []byte) { b[margin+22] = 1 }, ErrFormat},
		"sector size":     {func(b []byte) { le.PutUint16(b[margin+11:], 4096) }, ErrFormat},
		"cluster size":    {func(b []byte) { b[margin+13] = 0 }, ErrFormat},
		"sectors":         {func(b []byte) { le.PutUint32(b[margin+32:], 1<<30) }, ErrFormat},
		"FAT size":        {func(b []byte) { le.PutUint32(b[margin+36:], 1<<20-1) }, ErrFormat},
		"root cluster":    {func(b []byte) { le.PutUint32(b[margin+44:], 0) }, ErrFormat},
		"circle": {func(b []byte) {
			le.PutUint32(b[fat+2*fatEntry:], 2)
			copy(b[root+32:root+sectorSize], bytes.Repeat([]byte{entryFree}, 480))
		}, ErrFormat},
		"directory circle": {func(b []byte) {
			b[root+32+26] = 2 // EFI begins where the root does
		}, ErrFormat},
		"cut off": {func(b []byte) { clear(b[margin:]) }, ErrFormat},
	} {
		b := bytes.Clone(good)
		tc.edit(b)
		if _, err := Open(bytes.NewReader(b), int64(len(b))); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	for _, n := range []int{0, 100, 2 * sectorSize, margin, margin + 1000} {
		if _, err := Open(bytes.NewReader(good[:n]), int64(n)); err == nil {
			t.Errorf("the first %d bytes: no error", n)
		}
	}
	e := open(t, write(t, sample()))
	e.files[0].size = 1 << 30
	if _, err := e.Open(BootPath); !errors.Is(err, ErrFormat) {
		t.Errorf("a file longer than its clusters: got %v", err)
	}
}

// FuzzVolume reads file systems. To keep inputs small, the disk around them is
// left out and the first bytes of FAT and root directory are put in place.
func FuzzVolume(f *testing.F) {
	image, err := os.ReadFile(write(f, sample()))
	if err != nil {
		f.Fatal(err)
	}
	vol := open(f, write(f, sample())).vol
	part := image[margin : len(image)-margin]
	f.Add(part[:sectorSize], part[reservedSectors*sectorSize:][:sectorSize], part[vol.data:][:4*sectorSize])
	f.Fuzz(func(t *testing.T, boot, fat, data []byte) {
		b := make([]byte, 64<<10)
		copy(b, boot[:min(len(boot), sectorSize)])
		binary.LittleEndian.PutUint32(b[32:], uint32(len(b)/sectorSize))
		binary.LittleEndian.PutUint32(b[36:], 4)
		copy(b[sectorSize:], fat)
		b[14], b[15], b[16] = 1, 0, 1 // one reserved sector, one FAT
		copy(b[5*sectorSize:], data)
		v, err := openVolume(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		v.free()
		v.walk(func(e dirent) error {
			e.modTime()
			if list, err := v.chain(e.cluster); err == nil && e.size > 0 {
				io.Copy(io.Discard, io.NewSectionReader(newExtents(v.r, list), 0, int64(e.size)))
			}
			return nil
		})
	})
}

func FuzzTable(f *testing.F) {
	image, err := os.ReadFile(write(f, sample()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(image[:34*sectorSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 34*sectorSize { // else nothing gets past the checksums
			le := binary.LittleEndian
			le.PutUint32(b[sectorSize+88:], crc32.ChecksumIEEE(b[2*sectorSize:34*sectorSize]))
			le.PutUint32(b[sectorSize+16:], 0)
			le.PutUint32(b[sectorSize+16:], crc32.ChecksumIEEE(b[sectorSize:][:gptHeaderLen]))
		}
		Open(bytes.NewReader(b), int64(len(b)))
	})
}

func Example() {
	f, err := os.CreateTemp("", "slipway-disk-*.img")
	if err != nil {
		panic(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := Write(f, Options{Files: []File{{BootPath, []byte("an EFI program")}}}); err != nil {
		panic(err)
	}
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	e, err := Open(f, info.Size())
	if err != nil {
		panic(err)
	}
	for _, file := range e.Files() {
		fmt.Println(file.Path, file.Size)
	}
	// Output: EFI/BOOT/BOOTX64.EFI 14
}
