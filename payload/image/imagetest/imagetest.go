// Package imagetest makes the parts of a payload for tests: a static /init, a
// policy with a fresh key, TLS roots, a configuration and a kernel package. [New]
// puts all of them into a directory.
package imagetest

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/internal/kmod/kmodtest"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload/uki/ukitest"
)

// Release is the release of the kernel in Tree.
const Release = "6.1.0-test-amd64"

// Reference is what Config says to boot.
const Reference = "registry.example/os/web:stable"

// Config is a configuration that parses.
const Config = "schema = 1\nreference = \"" + Reference + "\"\n"

// Parts are files of a payload to be, all below one directory.
type Parts struct {
	Init       string // a static Go program
	Policy     string // policy.json, with a key beside it
	PrivateKey string // of that key
	KeyID      string
	Config     string
	CA         string
	Stub       string // without code
	Tree       string // unpacked kernel package
	Kernel     string // its bzImage, without code
}

// New makes all parts in a temporary directory.
func New(tb testing.TB) Parts {
	tb.Helper()
	dir := tb.TempDir()
	p := Parts{
		Init:   filepath.Join(dir, "init"),
		Policy: filepath.Join(dir, "policy.json"),
		Config: filepath.Join(dir, "slipway.toml"),
		CA:     filepath.Join(dir, "ca.pem"),
		Stub:   filepath.Join(dir, "stub.efi"),
		Tree:   filepath.Join(dir, "kernel"),
	}
	p.Kernel = filepath.Join(p.Tree, "boot", "vmlinuz-"+Release)
	p.KeyID, p.PrivateKey = key(tb, filepath.Join(dir, "signer"))
	write(tb, p.Policy, []byte(`{"default": [{"type": "reject"}], "transports": {"docker": {"registry.example":
  [{"type": "sigstoreSigned", "keyPath": "signer.pub", "signedIdentity": {"type": "matchRepository"}}]}}}`))
	write(tb, p.Config, []byte(Config))
	write(tb, p.CA, CA(tb, time.Now().Add(24*time.Hour)))
	write(tb, p.Stub, ukitest.Stub(ukitest.Layout{Spare: 8}))
	buildInit(tb, p.Init)
	kernel(tb, p)
	return p
}

// key makes a key pair and returns the ID and the private key's path.
func key(tb testing.TB, prefix string) (string, string) {
	tb.Helper()
	k, err := oci.GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	if err := oci.WriteKeyPair(prefix, k, nil); err != nil {
		tb.Fatal(err)
	}
	return k.Public().ID(), prefix + oci.PrivateKeySuffix
}

// CA makes a certificate in PEM that is good from 2020 until a time.
func CA(tb testing.TB, until time.Time) []byte {
	tb.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "slipway test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// program is built once, however many payloads a test makes.
var program = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "slipway-imagetest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "init")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "github.com/slipway-boot/slipway/payload/image/imagetest/init")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, text)
	}
	return os.ReadFile(out)
})

func buildInit(tb testing.TB, out string) {
	tb.Helper()
	data, err := program()
	if err != nil {
		tb.Fatal(err)
	}
	write(tb, out, data)
}

// kernel makes what dpkg -x makes of a Debian kernel package: two modules of the
// default table, one more, and the package's own documentation.
func kernel(tb testing.TB, p Parts) {
	tb.Helper()
	tree := kmodtest.Tree(Release, []string{"kernel/drivers/char/tpm/tpm_tis"},
		kmodtest.Spec{Path: "kernel/drivers/net/virtio_net.ko", Depends: []string{"failover"}, Aliases: []string{"virtio:d00000001v*"}},
		kmodtest.Spec{Path: "kernel/net/failover.ko", License: "GPL v2"},
		kmodtest.Spec{Path: "kernel/fs/vfat.ko"},
		kmodtest.Spec{Path: "kernel/drivers/extra-driver.ko", License: "Dual MIT/GPL"},
	)
	if err := os.CopyFS(p.Tree, tree); err != nil {
		tb.Fatal(err)
	}
	doc := filepath.Join(p.Tree, "usr/share/doc/linux-image-"+Release)
	for _, d := range []string{doc, filepath.Dir(p.Kernel)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	write(tb, filepath.Join(doc, "copyright"), []byte("Upstream-Name: Linux kernel\n\nFiles: *\nLicense: GPL-2\n"))
	write(tb, filepath.Join(doc, "changelog.gz"), changelog(tb))
	write(tb, p.Kernel, ukitest.Kernel(Release))
	write(tb, filepath.Join(filepath.Dir(p.Kernel), "config-"+Release), []byte(fmt.Sprintf("# Linux/x86 %s\n%s", Release, kernelConfig)))
}

// changelog is that of a Debian package with signed binaries, built from version
// 6.1.0-7 of the source package linux.
func changelog(tb testing.TB) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte("linux-signed-amd64 (6.1.0+7) bookworm; urgency=high\n\n  * Sign kernel from linux 6.1.0-7\n")); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// kernelConfig has what a payload's kernel needs.
const kernelConfig = `CONFIG_BLK_DEV_INITRD=y
CONFIG_RD_ZSTD=y
CONFIG_DEVTMPFS=y
CONFIG_EFI_STUB=y
CONFIG_KEXEC_FILE=y
CONFIG_MODULES=y
`

func write(tb testing.TB, name string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		tb.Fatal(err)
	}
}
