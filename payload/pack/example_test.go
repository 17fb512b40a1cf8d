package pack_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-boot/slipway/payload/pack"
	"github.com/slipway-boot/slipway/payload/uki/ukitest"
)

func ExampleInspect() {
	dir, err := os.MkdirTemp("", "slipway-inspect-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "vmlinuz")
	if err := os.WriteFile(file, ukitest.Kernel("6.1.0-50-amd64"), 0o644); err != nil {
		panic(err)
	}
	info, err := pack.Inspect(file)
	if err != nil {
		panic(err)
	}
	fmt.Println(info.Format, info.KernelRelease)
	// Output: kernel 6.1.0-50-amd64
}
