package oci

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkExtract extracts 96 MiB of files, in one layer and in four.
func BenchmarkExtract(b *testing.B) {
	for _, layers := range []int{1, 4} {
		var tars [][]byte
		total := 0
		for n := range layers {
			tars = append(tars, benchTar(b, n, 96<<20/layers))
			total += len(tars[n])
		}
		for _, form := range []struct {
			mediaType string
			pack      func([]byte) []byte
		}{
			{typeGzip, func(t []byte) []byte { return gzipped(b, t) }},
			{typeZstd, func(t []byte) []byte { return zstded(b, t) }},
			{typePlain, func(t []byte) []byte { return t }},
		} {
			_, name, _ := strings.Cut(form.mediaType, "v1.")
			b.Run(fmt.Sprintf("%s/layers=%d", name, layers), func(b *testing.B) {
				i := newTestImage(b)
				for _, t := range tars {
					i.add(form.mediaType, form.pack(t), t)
				}
				b.SetBytes(int64(total))
				for b.Loop() {
					i.limits = newLimits()
					if _, err := i.run(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// benchTar is a layer of files that compress about as programs do.
func benchTar(b *testing.B, layer, size int) []byte {
	random := rand.New(rand.NewPCG(uint64(layer), 0))
	words := make([]string, 4096)
	for k := range words {
		words[k] = fmt.Sprintf("%x\x00", random.Uint64()>>random.IntN(56))
	}
	items := base()
	for n := 0; size > 0; n++ {
		var text strings.Builder
		for range random.IntN(10000) {
			text.WriteString(words[random.IntN(len(words))])
		}
		items = append(items, regular(fmt.Sprintf("usr/share/%d/%d/%d", layer, n/100, n), text.String()))
		size -= text.Len()
	}
	return tarball(b, items...)
}
