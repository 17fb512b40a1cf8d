package payload

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/internal/bootlog"
	"github.com/slipway-boot/slipway/oci"
)

// fetch is step 2: the reference becomes a manifest and its signatures.
func (m *machine) fetch(ctx context.Context) (_ *oci.Signed, err error) {
	s := m.begin(2, "fetch")
	defer s.end(&err)
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	ref, err := oci.ParseReference(m.reference())
	if err != nil {
		return nil, err
	}
	signed, err := m.client.Fetch(ctx, ref)
	if err != nil {
		return nil, err
	}
	s.Done("%s@%s", ref, signed.UnverifiedDigest())
	return signed, nil
}

// verify is step 3: the policy judges the exact bytes that were fetched.
func (m *machine) verify(signed *oci.Signed) (_ *oci.Image, err error) {
	s := m.begin(3, "verify")
	defer s.end(&err)
	image, err := m.policy.Verify(signed, oci.VerifyOptions{Now: time.Now(), ClockTrusted: m.clockTrusted})
	if err != nil {
		return nil, err
	}
	m.image = image
	if m.policy.Boot().Allow.Unsigned {
		s.Printf("warning: this payload's policy allows unsigned images")
	}
	s.Done("%s", DescribeSigners(image))
	return image, nil
}

// DescribeSigners says in one line who signed an image.
func DescribeSigners(image *oci.Image) string {
	var out []string
	for _, sg := range image.Signers() {
		out = append(out, fmt.Sprintf("key %.12s (%s)", sg.KeyID, sg.Format))
	}
	if len(out) == 0 {
		return "accepted without a signature, as the policy says"
	}
	return "signed by " + strings.Join(out, ", ")
}

// extract is step 4: layers are streamed once into the root file system
// image, which is written where the next kernel will unpack it from.
func (m *machine) extract(ctx context.Context, image *oci.Image) (_ *Bundle, err error) {
	s := m.begin(4, "extract")
	defer s.end(&err)
	ctx, cancel := context.WithTimeout(ctx, extractLimit)
	defer cancel()
	if err := roomToExtract(image); err != nil {
		return nil, err
	}
	initrd, err := newInitrd()
	if err != nil {
		return nil, err
	}
	m.client.Progress = sumProgress(image, s.Step)
	b, err := m.client.Extract(ctx, image, &target{initrd: initrd, m: m})
	if err != nil {
		initrd.Close()
		return nil, err
	}
	m.fetched = b.Fetched
	s.Done("%d layers, %s fetched, root %s, kernel %s", b.Layers, bootlog.Bytes(b.Fetched), bootlog.Bytes(b.RootSize), b.Release)
	return &Bundle{Bundle: b, initrd: initrd}, nil
}

// Bundle is an extracted image together with the file its root lies in.
type Bundle struct {
	*oci.Bundle
	initrd *initrd
}

// sumProgress shows all layers as one figure, however many are on their way.
func sumProgress(image *oci.Image, s *bootlog.Step) func(oci.Progress) {
	var total int64
	for _, l := range image.Layers() {
		total += l.Size
	}
	sum := newSum()
	return func(p oci.Progress) { s.Progress("layers", sum.add(p.What, p.Done), total) }
}
