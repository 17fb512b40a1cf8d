package flash_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

// A chip with two slots was booted from B; A gets a new payload.
func Example() {
	dir, err := os.MkdirTemp("", "flash-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	a := flashtest.Region("RW_SECTION_A", 0x4000, 0x4000)
	b := flashtest.Region("RW_SECTION_B", 0x8000, 0x4000)
	rom := flashtest.ROM(0x10000, flashtest.Region("FMAP", 0, 0x1000), a, b)
	image := flashtest.ROM(0x10000, flashtest.Region("FMAP", 0, 0x1000), a, b)
	flashtest.PutSlot(image, a, 2, []byte("the new payload"))

	ctx := context.Background()
	chip := flash.Chip(flashtest.NewNOR(rom, 0)) // or OpenFlashrom, OpenMTD, OpenFile
	old, err := flash.Read(ctx, chip, nil)
	if err != nil {
		panic(err)
	}
	backup, err := old.Save(filepath.Join(dir, "before.rom"))
	if err != nil {
		panic(err)
	}
	for _, region := range []string{"RW_SECTION_C", "RW_SECTION_B", "RW_SECTION_A"} {
		plan, err := flash.NewPlan(chip, old, image, flash.PlanOptions{
			Region: region,
			Active: []string{"RW_SECTION_B"},
		})
		if errors.Is(err, flash.ErrRegion) || errors.Is(err, flash.ErrActive) {
			fmt.Println(err)
			continue
		} else if err != nil {
			panic(err)
		}
		for _, step := range plan.Steps {
			fmt.Println(step.Action, step.Range)
		}
		if err := plan.Apply(ctx, chip, backup, flash.ApplyOptions{}); err != nil {
			panic(err)
		}
	}
	now, err := flash.Read(ctx, chip, nil)
	if err != nil {
		panic(err)
	}
	version, ok := flashtest.Bootable(now.Contents(), a)
	fmt.Println("slot A: version", version, ok)
	// Output:
	// plan: unknown region "RW_SECTION_C": did you mean RW_SECTION_A?
	// plan: region is in use: the running system was booted from RW_SECTION_B, which writing RW_SECTION_B would touch
	// program 0x5000-0x5fff
	// program 0x4000-0x4fff
	// slot A: version 2 true
}
