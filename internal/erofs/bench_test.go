package erofs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkWrite writes a tree of 4000 files of 0 to 64 KiB to a file, over
// what the round before left there.
func BenchmarkWrite(b *testing.B) {
	out, err := os.Create(filepath.Join(b.TempDir(), "image.erofs"))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	content := pattern(1<<16, 1)
	var total int64
	for b.Loop() {
		w := NewWriter(out, time.Time{})
		root := dir(map[string]*Node{})
		total = 0
		for k := range 4000 {
			size := k * 7919 % len(content)
			data, err := w.File(bytes.NewReader(content[:size]), int64(size))
			if err != nil {
				b.Fatal(err)
			}
			d := root.Children[fmt.Sprint(k/100)]
			if d == nil {
				d = dir(map[string]*Node{})
				root.Children[fmt.Sprint(k/100)] = d
			}
			d.Children[fmt.Sprint("file", k)] = &Node{Mode: Regular | 0o644, Data: data, Xattrs: map[string]string{"security.selinux": "system_u:object_r:usr_t:s0"}}
			total += int64(size)
		}
		if _, err := w.Close(root); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(total)
}
