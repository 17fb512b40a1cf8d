package report

import (
	"reflect"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	want := Report{
		Schema: Schema, Version: "1", Reference: "r.example/os:1", Digest: "sha256:1",
		Signers: []Signer{{KeyID: "k", Format: "tag", Signed: "sha256:1"}},
		Config:  []Value{{Key: "root", Value: "auto", Origin: "default"}},
		Steps:   []Step{{N: 1, Name: "bring up", What: "eth0", Seconds: 1.5}},
	}
	data, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("expected %+v, got %+v, %v", want, got, err)
	}
	for _, bad := range []string{`{"schema":2}`, `{}`, `[`, ``} {
		if _, err := Parse([]byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "report: ") {
			t.Errorf("%q: expected an error, got %v", bad, err)
		}
	}
}
