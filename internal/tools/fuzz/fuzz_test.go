package main

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestTargets(t *testing.T) {
	const code = "package a\nfunc FuzzOne(f *testing.F) {}\nfunc TestTwo(t *testing.T) {}\n"
	got, err := targets(fstest.MapFS{
		"a/b/one_test.go":      {Data: []byte(code)},
		"a/b/two.go":           {Data: []byte(code)},
		"a/testdata/x_test.go": {Data: []byte(code)},
		"build/x_test.go":      {Data: []byte(code)},
	})
	if want := []target{{"a/b", "FuzzOne"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("expected %v, got %v, %v", want, got, err)
	}
	if _, err := targets(fstest.MapFS{"a_test.go": {Data: []byte("package")}}); err == nil {
		t.Error("expected an error for a file that does not parse")
	}
}
