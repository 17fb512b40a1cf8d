package oci_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/oci/ocitest"
)

// exampleTB lets an example use the test registry.
type exampleTB struct {
	testing.TB
	cleanup []func()
}

func (e *exampleTB) Helper()           {}
func (e *exampleTB) Cleanup(f func())  { e.cleanup = append(e.cleanup, f) }
func (e *exampleTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (e *exampleTB) close() {
	for _, f := range e.cleanup {
		f()
	}
}

// A registry holds an image that the operator signed; the policy of the
// machine has the operator's key.
func ExamplePolicy_Verify() {
	tb := new(exampleTB)
	defer tb.close()
	registry := ocitest.Start(tb, ocitest.Options{})
	address := registry.Push(tb, "os/web:stable", ocitest.Image(tb, ocitest.Spec{}))

	ctx := context.Background()
	client := &oci.Client{Roots: registry.Roots(), Arch: "amd64"}
	ref, err := oci.ParseReference(address)
	if err != nil {
		panic(err)
	}
	key, err := oci.GenerateKey()
	if err != nil {
		panic(err)
	}
	policy, err := oci.ParsePolicy(
		[]byte(`{"default": [{"type": "sigstoreSigned", "keyPath": "operator.pub"}]}`),
		[]byte("schema = 1\nepoch = 7\n"),
		func(string) ([]byte, error) { return key.Public().PEM(), nil },
	)
	if err != nil {
		panic(err)
	}
	for _, epoch := range []string{"", "6", "7"} {
		if epoch != "" {
			o := oci.SignOptions{Annotations: map[string]string{"epoch": epoch}}
			if _, err := oci.Sign(ctx, client, ref, key, o); err != nil {
				panic(err)
			}
		}
		signed, err := client.Fetch(ctx, ref)
		if err != nil {
			panic(err)
		}
		image, err := policy.Verify(signed, oci.VerifyOptions{})
		switch {
		case errors.Is(err, oci.ErrUnsigned):
			fmt.Println("nobody signed it")
		case errors.Is(err, oci.ErrEpoch):
			fmt.Println("too old")
		case err == nil:
			fmt.Println("verified, epoch", image.Epoch())
		}
	}
	// Output:
	// nobody signed it
	// too old
	// verified, epoch 7
}

func ExampleParseReference() {
	_, err := oci.ParseReference("busybox")
	fmt.Println(err)
	ref, err := oci.ParseReference("docker://registry.example:5000/os/web:stable")
	fmt.Println(ref.Repository(), ref.Tag(), err)
	// Output:
	// invalid reference: "busybox": no registry host, expected for example docker.io/library/busybox
	// registry.example:5000/os/web stable <nil>
}
