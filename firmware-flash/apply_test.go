package flash_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

func TestApply(t *testing.T) {
	r := newRig(t, flash.PlanOptions{})
	for range 2 {
		if err := r.apply(t); err != nil {
			t.Fatal(err)
		}
		same(t, "after the write", afterROM(), r.chip.Contents())
	}
	if n := operations(t, r); r.chip.Ops() != n {
		t.Errorf("writing what is there: expected no more than %d operations, got %d", n, r.chip.Ops())
	}
	if v, ok := flashtest.Bootable(r.chip.Contents(), slotA); v != 2 || !ok {
		t.Errorf("expected version 2, got %d, %v", v, ok)
	}
}

// The backup as an image brings the old contents back.
func TestRestoreByPlan(t *testing.T) {
	r := newRig(t, flash.PlanOptions{})
	if err := r.apply(t); err != nil {
		t.Fatal(err)
	}
	now := save(t, r.chip)
	plan, err := flash.NewPlan(r.chip, now.Snapshot(), r.backup.Snapshot().Contents(), flash.PlanOptions{Region: "RW_A"})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), r.chip, now, flash.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	same(t, "restored", oldROM(), r.chip.Contents())
}

func TestApplyRefuses(t *testing.T) {
	r := newRig(t, flash.PlanOptions{})
	otherChip := oldROM()
	otherChip[0x1f000] ^= 1
	changedRegion := oldROM()
	changedRegion[varsA.Offset] ^= 1 // inside of the region, and preserved
	other := save(t, flashtest.NewNOR(otherChip, 0))
	for _, c := range []struct {
		name   string
		plan   *flash.Plan
		chip   flash.Chip
		backup *flash.Backup
		want   error
	}{
		{"no plan", nil, r.chip, r.backup, flash.ErrPlan},
		{"zero plan", new(flash.Plan), r.chip, r.backup, flash.ErrPlan},
		{"no backup", r.plan, r.chip, nil, flash.ErrBackup},
		{"zero backup", r.plan, r.chip, new(flash.Backup), flash.ErrBackup},
		{"another backup", r.plan, r.chip, other, flash.ErrBackup},
		{"smaller chip", r.plan, flashtest.NewNOR(oldROM()[:modelSize/2], 0), r.backup, flash.ErrPlan},
		{"other blocks", r.plan, flashtest.NewNOR(oldROM(), 0x2000), r.backup, flash.ErrPlan},
		{"changed outside", r.plan, flashtest.NewNOR(otherChip, 0), r.backup, flash.ErrChanged},
		{"changed inside", r.plan, flashtest.NewNOR(changedRegion, 0), r.backup, flash.ErrChanged},
	} {
		err := c.plan.Apply(t.Context(), c.chip, c.backup, flash.ApplyOptions{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: expected %v, got %v", c.name, c.want, err)
		}
		if nor, ok := c.chip.(*flashtest.NOR); ok && nor.Ops() != 0 {
			t.Errorf("%s: expected no operation, got %d", c.name, nor.Ops())
		}
	}
}

// What is printed may be changed; what is written is not.
func TestPlanIsFrozen(t *testing.T) {
	r := newRig(t, flash.PlanOptions{})
	r.plan.Steps[0] = flash.Step{Action: flash.ActionErase, Range: slotB.Range}
	r.plan.Region, r.plan.After, r.plan.EraseSize = slotB, "", 1
	if err := r.apply(t); err != nil {
		t.Fatal(err)
	}
	same(t, "after the write", afterROM(), r.chip.Contents())
}

// A region that does not begin with an erase block: permitted, the neighbour's
// bytes stay, and after a cut the backup still has them.
func TestSharedBlocks(t *testing.T) {
	old, image := oldROM(), oldROM()
	old[oddity.Offset], image[oddity.Offset] = 0, 1
	image[oddity.Offset-1] = 0 // not of this region
	chip := flashtest.NewNOR(old, 0)
	backup := save(t, chip)
	plan, err := flash.NewPlan(chip, backup.Snapshot(), image, flash.PlanOptions{Region: "ODD", Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := []flash.Range{{Offset: 0x19000, Size: 0x1000}}; !slices.Equal(plan.Shared, want) {
		t.Errorf("at risk: expected %v, got %v", want, plan.Shared)
	}
	want := slices.Clone(old)
	want[oddity.Offset] = 1
	for at := 1; ; at++ {
		chip := flashtest.NewNOR(old, 0)
		chip.CutAt, chip.Seed = at, 4
		err := plan.Apply(t.Context(), chip, backup, flash.ApplyOptions{})
		if err != nil {
			chip.PowerOn()
			if err := plan.Apply(t.Context(), chip, backup, flash.ApplyOptions{}); err != nil {
				t.Fatalf("cut %d: %v", at, err)
			}
		}
		same(t, "after the write", want, chip.Contents())
		if err == nil {
			break
		}
	}
}
