package oci

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/slipway-boot/slipway/internal/strictjson"
)

// imageConfig is the part of an image's config that is used.
type imageConfig struct {
	Architecture string     `json:"architecture"`
	OS           string     `json:"os"`
	Config       *runConfig `json:"config,omitempty"`
	RootFS       struct {
		Type    string   `json:"type"`
		DiffIDs []Digest `json:"diff_ids"`
	} `json:"rootfs"`
}

type runConfig struct {
	Labels map[string]string `json:"Labels,omitempty"`
}

// parseConfig reads the config of the image manifest m and checks that they
// belong together and are for arch.
func parseConfig(raw []byte, m manifest, arch string) (imageConfig, error) {
	var c imageConfig
	if !types.MediaType(m.Config.MediaType).IsConfig() {
		return c, fmt.Errorf("%w: media type %q is no image config", ErrManifest, clip(m.Config.MediaType))
	}
	err := strictjson.Decode(raw, &c, strictjson.Options{MaxBytes: maxConfig, AllowUnknown: true})
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if c.OS != imageOS || c.Architecture != arch {
		return c, fmt.Errorf("%w: expected %s/%s, got %s/%s", ErrArch, imageOS, arch, clip(c.OS), clip(c.Architecture))
	}
	if c.RootFS.Type != "layers" || len(c.RootFS.DiffIDs) != len(m.Layers) {
		return c, fmt.Errorf("%w: expected %d layers, the config has %d", ErrManifest, len(m.Layers), len(c.RootFS.DiffIDs))
	}
	for _, d := range c.RootFS.DiffIDs {
		if _, err := ParseDigest(string(d)); err != nil {
			return c, fmt.Errorf("%w: diff ID: %w", ErrManifest, err)
		}
	}
	return c, nil
}
