package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestResults(t *testing.T) {
	got, err := results(strings.NewReader(`goos: linux
pkg: github.com/slipway-boot/slipway/internal/erofs
BenchmarkWriter/tar+gzip/layers=4-2   	      10	 104040042 ns/op	 645.03 MB/s	 1000 B/op	 7 allocs/op
PASS
ok  	github.com/slipway-boot/slipway/internal/erofs	2.2s
`), io.Discard)
	want := []string{
		"result: bench.internal.erofs.writer.tar-gzip.layers-4.ns = 104040042 ns/op",
		"result: bench.internal.erofs.writer.tar-gzip.layers-4.mb.s = 645.03 MB/s",
		"result: bench.internal.erofs.writer.tar-gzip.layers-4.b = 1000 B/op",
		"result: bench.internal.erofs.writer.tar-gzip.layers-4.allocs = 7 allocs/op",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("expected %q, got %q, %v", want, got, err)
	}
}
