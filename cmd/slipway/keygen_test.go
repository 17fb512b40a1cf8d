package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/oci"
)

func TestKeygen(t *testing.T) {
	unset(t)
	prefix := filepath.Join(t.TempDir(), "os")
	word := write(t, filepath.Join(t.TempDir(), "password"), testPassword+"\n")
	var k newKey
	decode(t, good(t, "keygen", "--output", prefix, "--password-file", word, "--json"), &k)
	if k.Private != prefix+".key" || k.Public != prefix+".pub" {
		t.Errorf("got %+v", k)
	}
	for name, mode := range map[string]os.FileMode{k.Private: 0o600, k.Public: 0o644} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: expected mode %v, got %v, %v", name, mode, info.Mode(), err)
		}
	}
	if first, _, _ := strings.Cut(read(t, k.Private), "\n"); first != "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----" {
		t.Errorf("expected cosign's format, got %s", first)
	}
	private, err := oci.LoadPrivate(k.Private, []byte(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	public, err := oci.LoadPublic(k.Public)
	if err != nil {
		t.Fatal(err)
	}
	if private.Public().ID() != k.KeyID || public.ID() != k.KeyID {
		t.Errorf("key IDs: expected %s, got %s and %s", k.KeyID, private.Public().ID(), public.ID())
	}
	if _, err := oci.LoadPrivate(k.Private, []byte("another")); err == nil {
		t.Error("another password opens the key")
	}
}

func TestKeygenForPeople(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("SLIPWAY_PASSWORD", testPassword)
	out := good(t, "keygen")
	public, err := oci.LoadPublic("slipway.pub")
	if err != nil {
		t.Fatal(err)
	}
	want := "private key  slipway.key (keep it secret)\n" +
		"public key   slipway.pub (goes into policy.json)\n" +
		"key id       " + public.ID() + "\n"
	if out != want {
		t.Errorf("expected\n%s\ngot\n%s", want, out)
	}
}

// TestKeygenOverwritesNothing, whichever of the two files exists, and does not
// ask for a password first.
func TestKeygenOverwritesNothing(t *testing.T) {
	unset(t)
	for _, there := range []string{".key", ".pub"} {
		dir := t.TempDir()
		file := write(t, filepath.Join(dir, "os"+there), "precious")
		bad(t, exitFailed, "os"+there+": file already exists", "never overwritten", "keygen", "-o", filepath.Join(dir, "os"))
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || read(t, file) != "precious" {
			t.Errorf("%s: got %v, %v", there, entries, err)
		}
	}
	t.Setenv("SLIPWAY_PASSWORD", testPassword)
	bad(t, exitFailed, "no such file or directory", "", "keygen", "-o", filepath.Join(t.TempDir(), "gone", "os"))
}

// TestPasswords tries the sources one by one, and which comes first.
func TestPasswords(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string { return write(t, filepath.Join(dir, name), text) }
	for name, test := range map[string]struct {
		slipway, cosign, file, want string
	}{
		"file":              {want: "a", file: file("1", "a\nb\n")},
		"file with CR":      {want: "a", file: file("2", "a\r\nb")},
		"file without end":  {want: " a ", file: file("3", " a ")},
		"empty file":        {want: "", file: file("4", "")},
		"own variable":      {slipway: "s", want: "s"},
		"cosign's variable": {cosign: "c", want: "c"},
		"own before":        {slipway: "s", cosign: "c", want: "s"},
		"file before":       {slipway: "s", cosign: "c", want: "a", file: file("5", "a")},
	} {
		t.Run(name, func(t *testing.T) {
			unset(t)
			for variable, value := range map[string]string{"SLIPWAY_PASSWORD": test.slipway, "COSIGN_PASSWORD": test.cosign} {
				if value != "" {
					t.Setenv(variable, value)
				}
			}
			if got, err := password(keygenCommand(), test.file, true); err != nil || string(got) != test.want {
				t.Errorf("expected %q, got %q, %v", test.want, got, err)
			}
		})
	}
	unset(t)
	bad(t, exitFailed, "password: open .*gone: no such file", "", "keygen", "-o", filepath.Join(dir, "k"), "--password-file", filepath.Join(dir, "gone"))
	if _, err := os.Stat(filepath.Join(dir, "k.key")); err == nil {
		t.Error("a key was written without a password")
	}
}
