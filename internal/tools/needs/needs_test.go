package main

import (
	"slices"
	"testing"

	"github.com/slipway-boot/slipway/qemu/lab"
)

func TestNames(t *testing.T) {
	table := []lab.HostPackage{{Name: "demo"}, {Name: "judge", Test: true}}
	for _, c := range []struct {
		test  bool
		extra []string
		want  []string
	}{
		{false, nil, []string{"demo"}},
		{true, nil, []string{"demo", "judge"}},
		{false, []string{"xz-utils"}, []string{"demo", "xz-utils"}},
	} {
		if got := names(table, c.test, c.extra); !slices.Equal(got, c.want) {
			t.Errorf("test %v, extra %q: expected %q, got %q", c.test, c.extra, c.want, got)
		}
	}
}
