package oci

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

func FuzzManifest(f *testing.F) {
	for _, folder := range []string{"index-p256", "manifest-p256"} {
		f.Add(readFile(f, samplesDir+folder+"/subject.json"), false)
		f.Add(readFile(f, samplesDir+folder+"/referrer0.manifest.json"), true)
	}
	f.Add([]byte(`{"architecture":"amd64","os":"linux","config":{"Labels":{"a":"b"}},"rootfs":{"type":"layers","diff_ids":[]}}`), true)
	f.Fuzz(func(t *testing.T, raw []byte, index bool) {
		mediaType := string(types.OCIManifestSchema1)
		if index {
			mediaType = string(types.OCIImageIndex)
		}
		if m, err := parseManifest(raw, mediaType); err == nil {
			var std manifest
			if err := json.Unmarshal(raw, &std); err != nil || !reflect.DeepEqual(m, std) {
				t.Fatalf("%q: two readings: %+v and %+v, %v", raw, m, std, err)
			}
			if m.Config != nil && m.Manifests != nil || m.Config == nil != index {
				t.Fatalf("%q: ambiguous", raw)
			}
			doc := document{m, raw, sha256Of(raw), mediaType}
			if d, err := doc.choose("amd64"); err == nil && d.Platform.Architecture != "amd64" {
				t.Fatalf("%q: chose %+v", raw, d)
			}
		}
		m := manifest{Config: &descriptor{MediaType: string(types.OCIConfigJSON)}}
		if c, err := parseConfig(raw, m, "amd64"); err == nil && (c.Architecture != "amd64" || len(c.RootFS.DiffIDs) != 0) {
			t.Fatalf("%q: accepted %+v", raw, c)
		}
	})
}

func TestParseConfig(t *testing.T) {
	m := manifest{Config: &descriptor{MediaType: string(types.DockerConfigJSON)}, Layers: make([]descriptor, 1)}
	good := `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["` + testDigest + `"]},"config":{"Labels":{"a":"b"},"Env":[]},"history":[{"created_by":"x"}]}`
	for name, c := range map[string]struct {
		old, new string
		err      error
	}{
		"good":          {"", "", nil},
		"no config":     {`"config":{"Labels":{"a":"b"},"Env":[]}`, `"config":null`, nil},
		"null labels":   {`{"a":"b"}`, `null`, nil},
		"another arch":  {`"amd64"`, `"arm64"`, ErrArch},
		"another OS":    {`"linux"`, `"freebsd"`, ErrArch},
		"arch twice":    {`"os"`, `"architecture":"amd64","os"`, ErrManifest},
		"arch case":     {`"os"`, `"Architecture":"arm64","os"`, ErrManifest},
		"no rootfs":     {`"rootfs"`, `"rotfs"`, ErrManifest},
		"another type":  {`"layers"`, `"base"`, ErrManifest},
		"no diff ID":    {`"` + testDigest + `"`, ``, ErrManifest},
		"bad diff ID":   {"sha256:0a", "sha256:0A", ErrManifest},
		"label no text": {`{"a":"b"}`, `{"a":1}`, ErrManifest},
		"data after it": {`"x"}]}`, `"x"}]}{}`, ErrManifest},
	} {
		got, err := parseConfig([]byte(strings.Replace(good, c.old, c.new, 1)), m, "amd64")
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: expected %v, got %+v, %v", name, c.err, got, err)
		}
	}
}
