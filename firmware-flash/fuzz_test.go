package flash_test

import (
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

// FuzzLayout checks what a layout promises, whatever it was read from: regions
// on the chip, with names, each once. Plans from such an image never panic.
func FuzzLayout(f *testing.F) {
	small := []flash.Region{flashtest.Region("FMAP", 0x100, 0x200), flashtest.Region("A", 0x1000, 0x1000),
		{Name: "V", Range: flash.Range{Offset: 0x1800, Size: 0x400}, Preserve: true}}
	rom := flashtest.ROM(0x2000, small...)
	copy(rom[0x1000:], "LARCHIVE\x00\x00\x00\x04\x00\x00\x00\x50\x00\x00\x00\x00\x00\x00\x00\x28name\x00")
	f.Add(rom)
	flashtest.SetBoard(rom, "v", "p")
	f.Add(rom)
	f.Add(flashtest.FMAP(0x40, small...))
	f.Add([]byte("__FMAP__"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := flash.ParseLayout(data)
		if err != nil {
			return
		}
		names := map[string]bool{}
		for _, r := range l.Regions {
			if r.Name == "" || names[r.Name] || r.Offset < 0 || r.Size < 0 || r.End() > l.Size {
				t.Fatalf("impossible region %+v of %d bytes", r, l.Size)
			}
			names[r.Name] = true
		}
		if len(data)%0x1000 != 0 {
			return
		}
		chip := flashtest.NewNOR(data, 0)
		old, err := flash.Read(t.Context(), chip, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range l.Regions[:min(len(l.Regions), 8)] {
			plan, err := flash.NewPlan(chip, old, data, flash.PlanOptions{Region: r.Name, Preserve: []string{r.Name + "/name"}})
			if err == nil && len(plan.Steps) != 0 {
				t.Fatalf("the chip's own contents would change it: %s", plan)
			}
		}
	})
}
