package oci

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const keyDir = "testdata/signatures/keys/"

// testPassword is the password of the keys in testdata, throw-away keys made
// by cosign for these tests.
func testPassword(t *testing.T) []byte {
	t.Helper()
	return bytes.TrimSpace(readFile(t, keyDir+"PASSWORD"))
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestCosignKeys opens every key pair that cosign can make.
func TestCosignKeys(t *testing.T) {
	for name, refused := range map[string]string{
		"cosign": "", "c-p256": "", "c-rsa2048": "", "c-rsa3072": "", "c-rsa4096": "",
		"c-p384": "got ECDSA P-384", "c-p521": "got ECDSA P-521", "c-ed25519": "got ed25519.PublicKey",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			public, err := LoadPublic(keyDir + name + ".pub")
			private, err2 := LoadPrivate(keyDir+name+".key", testPassword(t))
			if refused != "" {
				for _, err := range []error{err, err2} {
					if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), refused) {
						t.Errorf("expected %q, got %v", refused, err)
					}
				}
				return
			}
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			if private.Public().ID() != public.ID() || !bytes.Equal(private.Public().PEM(), public.PEM()) {
				t.Error("the two halves differ")
			}
			if want := readFile(t, keyDir+name+".pub"); !bytes.Equal(public.PEM(), want) {
				t.Errorf("expected %s, got %s", want, public.PEM())
			}
			sig, err := private.sign([]byte("message"))
			if err != nil || !public.verify([]byte("message"), sig) || public.verify([]byte("massage"), sig) {
				t.Errorf("sign and verify: %v", err)
			}
		})
	}
}

func TestPublicKeyRefusals(t *testing.T) {
	good := string(readFile(t, keyDir+"cosign.pub"))
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	plain, err := x509.MarshalPKCS8PrivateKey(ed)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "expected one PEM block"},
		"private":        {string(readFile(t, keyDir+"cosign.key")), "this is a private key (ENCRYPTED SIGSTORE PRIVATE KEY), expected the public key"},
		"plain private":  {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain})), "this is a private key (PRIVATE KEY)"},
		"two":            {good + good, "data after it"},
		"text before":    {"# key\n" + good, "expected one PEM block"},
		"certificate":    {strings.ReplaceAll(good, "PUBLIC KEY", "CERTIFICATE"), "got CERTIFICATE"},
		"pkcs1":          {strings.ReplaceAll(good, "PUBLIC KEY", "RSA PUBLIC KEY"), "got RSA PUBLIC KEY"},
		"headers":        {strings.Replace(good, "-----\n", "-----\nA: b\n\n", 1), "without headers"},
		"damaged":        {strings.Replace(good, "MFkw", "MFkx", 1), "asn1"},
		"1024 bits":      {pemOf(t, &weak.PublicKey), "got RSA of 1024 bits"},
		"over the limit": {good + strings.Repeat("\n", maxKeyFile), "at most"},
	} {
		if _, err := ParsePublicKey([]byte(c.text)); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, got %v", name, c.want, err)
		}
	}
}

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: publicKeyPEM, Bytes: der}))
}

func TestPrivateKeyRefusals(t *testing.T) {
	good := string(readFile(t, keyDir+"cosign.key"))
	block, _ := pem.Decode([]byte(good))
	edit := func(old, new string) string {
		if !strings.Contains(string(block.Bytes), old) {
			t.Fatalf("%s is not in the key file", old)
		}
		body := strings.Replace(string(block.Bytes), old, new, 1)
		return string(pem.EncodeToMemory(&pem.Block{Type: privateKeyPEM, Bytes: []byte(body)}))
	}
	for name, c := range map[string]struct{ text, want string }{
		"public":         {string(readFile(t, keyDir+"cosign.pub")), "got PUBLIC KEY"},
		"huge N":         {edit(`"N":65536`, `"N":1073741824`), "expected N=16384 to 262144"},
		"N is no power":  {edit(`"N":65536`, `"N":65537`), "expected N="},
		"weak N":         {edit(`"N":65536`, `"N":2`), "expected N="},
		"huge r":         {edit(`"r":8`, `"r":800000`), "r=8"},
		"another kdf":    {edit(`"scrypt"`, `"argon2"`), `got "argon2"`},
		"unknown key":    {edit(`"kdf"`, `"x":1,"kdf"`), `unknown key "x"`},
		"damaged":        {edit(`"ciphertext":"`, `"ciphertext":"AAAA`), "wrong password, or the file is damaged"},
		"line break":     {edit(`"ciphertext":"`, `"ciphertext":"\n`), "line break"},
		"nonce too long": {edit(`"nonce":"`, `"nonce":"AAAA`), "expected a nonce of 24 bytes"},
	} {
		if _, err := ParsePrivateKey([]byte(c.text), testPassword(t)); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, got %v", name, c.want, err)
		}
	}
	if _, err := ParsePrivateKey([]byte(good), []byte("wrong")); !errors.Is(err, ErrKey) {
		t.Errorf("wrong password: expected %v, got %v", ErrKey, err)
	}
	if _, err := LoadPrivate(keyDir+"nothing.key", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: got %v", err)
	}
}

func TestWriteKeyPair(t *testing.T) {
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Join(t.TempDir(), "release")
	if err := WriteKeyPair(prefix, key, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(prefix + ".key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("private key: expected mode 0600, got %v %v", info.Mode(), err)
	}
	again, err := LoadPrivate(prefix+".key", []byte("secret"))
	if err != nil || again.Public().ID() != key.Public().ID() {
		t.Fatalf("read back: %v", err)
	}
	before := readFile(t, prefix+".key")
	if err := WriteKeyPair(prefix, key, nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("overwriting: expected %v, got %v", os.ErrExist, err)
	}
	if err := os.Remove(prefix + ".key"); err != nil {
		t.Fatal(err)
	}
	if err := WriteKeyPair(prefix, key, nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("public key exists: expected %v, got %v", os.ErrExist, err)
	}
	if _, err := os.Stat(prefix + ".key"); !errors.Is(err, os.ErrNotExist) {
		t.Error("a private key without its public half was left behind")
	}
	if block, _ := pem.Decode(before); block == nil || block.Type != privateKeyPEM {
		t.Errorf("expected a block %s, got %s", privateKeyPEM, before)
	}
}

// TestDEROnly signs with the right key in the wrong encodings.
func TestDEROnly(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := newPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	sum := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	raw := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	der, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	long := append([]byte{der[0], 0x81}, der[1:]...) // length in BER's long form
	for name, c := range map[string]struct {
		sig  []byte
		good bool
	}{
		"der": {der, true}, "raw": {raw, false}, "long form": {long, false}, "empty": {nil, false},
		"trailing byte": {append(bytes.Clone(der), 0), false},
	} {
		if got := public.verify(message, c.sig); got != c.good {
			t.Errorf("%s: expected %v, got %v", name, c.good, got)
		}
	}
}

func TestBase64Strict(t *testing.T) {
	for text, good := range map[string]bool{
		"": true, "QQ==": true, "QUJD": true,
		"QQ": false, "QR==": false, "QQ==\n": false, "Q\nQ==": false, "Q_==": false, " QQ==": false, "QQ== ": false,
	} {
		if _, err := decodeBase64(text); (err == nil) != good {
			t.Errorf("%q: expected %v, got %v", text, good, err)
		}
	}
}
