package flash_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/firmware-flash"
	"github.com/slipway-boot/slipway/firmware-flash/flashtest"
)

// Everything that is refused, before a single operation.
func TestPlanRefuses(t *testing.T) {
	otherBoard := newROM()
	flashtest.SetBoard(otherBoard, "Emulation", "Model 2")
	noBoard := newROM()
	copy(noBoard[modelSize-0x200:], make([]byte, 0x200))
	blank := newROM()
	for i := range part(blank, slotA) {
		blank[int(slotA.Offset)+i] = 0xff
	}
	shared := newROM()
	shared[oddity.Offset] = 1 // a bit to set: the block has to be erased
	moved := slices.Clone(model)
	moved[1].Size -= 0x1000
	a := flash.PlanOptions{Region: "RW_A"}
	with := func(change func(*flash.PlanOptions)) flash.PlanOptions {
		o := a
		change(&o)
		return o
	}
	for _, c := range []struct {
		name  string
		image []byte
		o     flash.PlanOptions
		want  error
		text  string
	}{
		{"empty file", nil, a, flash.ErrImage, "too small or cut off"},
		{"truncated", newROM()[:modelSize-1], a, flash.ErrImage, "expected the whole chip's 131072 bytes, got 131071"},
		{"too large", append(newROM(), 0xff), a, flash.ErrImage, "too large"},
		{"foreign", make([]byte, modelSize), a, flash.ErrLayout, "image: flash layout: no flash map"},
		{"another layout", flashtest.ROM(modelSize, moved...), a, flash.ErrLayout, "region RW_A is at 0x8000-0xffff on the chip and at 0x8000-0xefff in the image"},
		{"fewer regions", flashtest.ROM(modelSize, model[:5]...), a, flash.ErrLayout, "the chip has a region RW_B"},
		{"more regions", flashtest.ROM(modelSize, append(model[:len(model):len(model)], flashtest.Region("NEW", 0, 1))...), a, flash.ErrLayout, "the image has a region NEW"},
		{"another board", otherBoard, a, flash.ErrBoard, `the chip says "Emulation Model 1", the image "Emulation Model 2"`},
		{"no board", noBoard, a, flash.ErrBoard, `the image ""`},
		{"no region", newROM(), flash.PlanOptions{}, flash.ErrRegion, ""},
		{"unknown region", newROM(), flash.PlanOptions{Region: "RW_C"}, flash.ErrRegion, "did you mean RW_A?"},
		{"wrong case", newROM(), flash.PlanOptions{Region: "rw_b"}, flash.ErrRegion, "did you mean RW_B?"},
		{"far region", newROM(), flash.PlanOptions{Region: "everything"}, flash.ErrRegion, "there are FMAP, RW_A"},
		{"blank region", blank, a, flash.ErrImage, "nothing but 0xff"},
		{"active", newROM(), with(func(o *flash.PlanOptions) { o.Active = []string{"RW_B", "RW_A"} }), flash.ErrActive, "booted from RW_A"},
		{"part is active", newROM(), with(func(o *flash.PlanOptions) { o.Active = []string{"VARS_A"} }), flash.ErrActive, "booted from VARS_A, which writing RW_A would touch"},
		{"unknown active", newROM(), with(func(o *flash.PlanOptions) { o.Active = []string{"RW_X"} }), flash.ErrRegion, "active:"},
		{"unknown header", newROM(), with(func(o *flash.PlanOptions) { o.Header = "HEAD_B" }), flash.ErrRegion, "did you mean HEAD_A?"},
		{"header elsewhere", newROM(), with(func(o *flash.PlanOptions) { o.Header = "RW_B" }), flash.ErrRegion, "outside of RW_A"},
		{"unknown preserved", newROM(), with(func(o *flash.PlanOptions) { o.Preserve = []string{"VARS"} }), flash.ErrRegion, "preserve:"},
		{"preserved elsewhere", newROM(), with(func(o *flash.PlanOptions) { o.Preserve = []string{"RW_B"} }), flash.ErrRegion, "outside of RW_A"},
		{"no such file", newROM(), with(func(o *flash.PlanOptions) { o.Preserve = []string{"RW_A/serial"} }), flash.ErrRegion, `no file "serial"`},
		{"shares with active", shared, flash.PlanOptions{Region: "ODD", Shared: true, Active: []string{"EDGE"}}, flash.ErrActive, "booted from EDGE"},
		{"shared block", shared, flash.PlanOptions{Region: "ODD"}, flash.ErrShared, "0x19000-0x19fff"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			old := oldROM()
			old[oddity.Offset] = 0
			chip := flashtest.NewNOR(old, 0)
			snap, err := flash.Read(t.Context(), chip, nil)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := flash.NewPlan(chip, snap, c.image, c.o)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("expected %v with %q, got %v, %v", c.want, c.text, plan, err)
			}
			if chip.Ops() != 0 {
				t.Errorf("expected no operation, got %d", chip.Ops())
			}
		})
	}
}

// Protected blocks matter only where something has to change.
func TestPlanProtection(t *testing.T) {
	for _, c := range []struct {
		wp   flash.Range
		want error
	}{
		{flash.Range{Offset: 0, Size: 0x8000}, nil},
		{slotB.Range, nil},
		{varsA.Range, nil},
		{headA.Range, flash.ErrProtected},
		{flash.Range{Offset: 0, Size: modelSize}, flash.ErrProtected},
	} {
		r := newRig(t, flash.PlanOptions{})
		r.chip.WP = []flash.Range{c.wp}
		_, err := flash.NewPlan(r.chip, r.backup.Snapshot(), newROM(), flash.PlanOptions{Region: "RW_A"})
		if !errors.Is(err, c.want) {
			t.Errorf("plan with %s protected: expected %v, got %v", c.wp, c.want, err)
		}
		// Protection that came after the plan.
		if err := r.apply(t); !errors.Is(err, c.want) {
			t.Errorf("apply with %s protected: expected %v, got %v", c.wp, c.want, err)
		}
		if c.want != nil && r.chip.Ops() != 0 {
			t.Errorf("expected no operation, got %d", r.chip.Ops())
		}
	}
}

func TestPlanSteps(t *testing.T) {
	r := newRig(t, flash.PlanOptions{})
	want := []flash.Step{
		{Action: flash.ActionProgram, Range: flash.Range{Offset: 0x9000, Size: 0x2000}},
		{Action: flash.ActionRewrite, Range: flash.Range{Offset: 0xb000, Size: 0x3000}},
		{Action: flash.ActionErase, Range: flash.Range{Offset: 0xe000, Size: 0x1000}},
		{Action: flash.ActionRewrite, Range: flash.Range{Offset: 0x8000, Size: 0x1000}, Header: true},
	}
	if !slices.Equal(r.plan.Steps, want) {
		t.Errorf("expected %+v, got %+v", want, r.plan.Steps)
	}
	if r.plan.Same != 0x1000 || !slices.Equal(r.plan.Preserved, []flash.Range{varsA.Range}) {
		t.Errorf("expected VARS_A untouched, got %d bytes and %v", r.plan.Same, r.plan.Preserved)
	}
	text := r.plan.String()
	for _, line := range []string{
		"region RW_A, 0x8000-0xffff of a chip of 131072 bytes, erase blocks of 4096",
		"board Emulation Model 1",
		"  program  0x9000-0xafff  2 blocks",
		"  rewrite  0x8000-0x8fff  1 blocks  (header)",
		"preserved: 0xf000-0xffff",
		"write protection: none",
		"after  " + r.plan.After,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("expected the line %q in\n%s", line, text)
		}
	}
}

// The header may be anywhere.
func TestPlanHeader(t *testing.T) {
	r := newRig(t, flash.PlanOptions{Region: "RW_A", Header: "TAIL_A"})
	want := flash.Step{Action: flash.ActionErase, Range: flash.Range{Offset: 0xe000, Size: 0x1000}, Header: true}
	if last := r.plan.Steps[len(r.plan.Steps)-1]; last != want {
		t.Errorf("expected %+v last, got %+v", want, last)
	}
	if first := r.plan.Steps[0]; first.Offset != 0x8000 || first.Header {
		t.Errorf("expected the body first, got %+v", first)
	}
}

func TestPlanJSON(t *testing.T) {
	r := newRig(t, flash.PlanOptions{})
	text, err := json.Marshal(r.plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"region":{"name":"RW_A","offset":32768,"size":32768}`,
		`{"action":"rewrite","offset":32768,"size":4096,"header":true}`,
		`"preserved":[{"offset":61440,"size":4096}]`,
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("expected %s in %s", part, text)
		}
	}
	var read flash.Plan
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if err := read.Apply(t.Context(), r.chip, r.backup, flash.ApplyOptions{}); !errors.Is(err, flash.ErrPlan) {
		t.Errorf("a plan from a file: expected %v, got %v", flash.ErrPlan, err)
	}
}
