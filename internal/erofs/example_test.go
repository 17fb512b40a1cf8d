package erofs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/internal/erofs"
)

func ExampleWriter() {
	dir, err := os.MkdirTemp("", "erofs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	out, err := os.Create(filepath.Join(dir, "root.erofs"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer out.Close()

	w := erofs.NewWriter(out, time.Unix(0, 0))
	data, err := w.File(strings.NewReader("hello\n"), 6)
	if err != nil {
		fmt.Println(err)
		return
	}
	hello := &erofs.Node{Mode: erofs.Regular | 0o644, Data: data}
	size, err := w.Close(&erofs.Node{
		Mode:     erofs.Directory | 0o755,
		Children: map[string]*erofs.Node{"hello": hello, "hardlink": hello},
	})
	fmt.Println(size, err)
	// Output: 8192 <nil>
}
