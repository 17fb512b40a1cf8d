package lab

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// testRoot is a root as mmdebstrap writes it, in miniature.
func testRoot(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	entries := []struct {
		h    tar.Header
		body string
	}{
		{tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "./dev/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "./dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, ""},
		{tar.Header{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "./etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644}, "root"},
		{tar.Header{Name: "./etc/resolv.conf", Typeflag: tar.TypeReg, Mode: 0o644}, "of the host"},
		{tar.Header{Name: "./usr/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "./usr/bin/", Typeflag: tar.TypeDir, Mode: 0o751}, ""},
		{tar.Header{Name: "./usr/bin/ping", Typeflag: tar.TypeReg, Mode: 0o755,
			PAXRecords: map[string]string{capXattr: "\x01\x00\x02", "SCHILY.xattr.system.posix_acl_access": "x"}}, "ping"},
		{tar.Header{Name: "./usr/bin/systemctl", Typeflag: tar.TypeReg, Mode: 0o755, Uname: "root"}, "ctl"},
		{tar.Header{Name: "./usr/bin/ctl-link", Typeflag: tar.TypeLink, Linkname: "./usr/bin/systemctl"}, ""},
		{tar.Header{Name: "./usr/lib/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "./usr/lib/modules/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "./usr/lib/modules/6.12/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "./usr/lib/modules/6.12/vmlinuz", Typeflag: tar.TypeReg, Mode: 0o644}, "kernel"},
		{tar.Header{Name: "./var/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "./var/lib/dpkg/info/iputils-ping.list", Typeflag: tar.TypeReg}, "/.\n/usr\n/usr/bin\n/bin/ping\n"},
		{tar.Header{Name: "./var/lib/dpkg/info/systemd:amd64.list", Typeflag: tar.TypeReg}, "/usr/bin\n/usr/bin/systemctl\n/usr/bin/ctl-link\n"},
		{tar.Header{Name: "./run", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "./run/lock", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
	}
	for _, e := range entries {
		e.h.Size = int64(len(e.body))
		e.h.ModTime = time.Unix(1000, 500)
		e.h.Format = tar.FormatPAX
		if err := w.WriteHeader(&e.h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, e.body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestSplitRoot(t *testing.T) {
	root := testRoot(t)
	index, err := indexRoot(bytes.NewReader(root))
	if err != nil {
		t.Fatal(err)
	}
	bufs := make([]bytes.Buffer, layerCount)
	layers := make([]*layerWriter, layerCount)
	for i := range layers {
		layers[i] = newLayerWriter(&bufs[i])
	}
	if err := splitRoot(bytes.NewReader(root), index, layers, debianLayer); err != nil {
		t.Fatal(err)
	}
	addConfig(layers[layerConfig])
	cleanUp(layers[layerClean])
	want := []string{
		"usr/ usr/bin/ usr/bin/ping",
		"usr/ usr/bin/ usr/bin/systemctl usr/bin/ctl-link>usr/bin/systemctl",
		"usr/ usr/lib/ usr/lib/modules/ usr/lib/modules/6.12/ usr/lib/modules/6.12/vmlinuz",
		"dev/ etc/ etc/passwd usr/ usr/lib/ usr/lib/modules/ var/ var/lib/dpkg/info/iputils-ping.list var/lib/dpkg/info/systemd:amd64.list run/",
	}
	for i := range layers {
		if err := layers[i].close(); err != nil {
			t.Fatal(err)
		}
		got := list(t, &bufs[i])
		if i < len(want) && !strings.HasPrefix(got+" ", want[i]+" ") {
			t.Errorf("layer %d: expected %s, got %s", i, want[i], got)
		}
		if i == layerConfig && (!strings.Contains(got, " etc/issue") || strings.Count(got, "etc/ ") != 1) {
			t.Errorf("configuration: expected etc/issue and etc/ once, got %s", got)
		}
		if i == layerClean && (!strings.Contains(got, "etc/.wh.shadow- ") || !strings.HasSuffix(got, "var/cache/apt/.wh..wh..opq")) {
			t.Errorf("clean-up: expected whiteouts, got %s", got)
		}
	}
}

// list names the entries of a layer and checks what all headers must obey.
func list(t *testing.T, r io.Reader) string {
	t.Helper()
	var names []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		name := h.Name
		if h.Typeflag == tar.TypeLink {
			name += ">" + h.Linkname
		}
		names = append(names, name)
		if h.ModTime.Nanosecond() != 0 || h.Uname != "" || !h.AccessTime.IsZero() {
			t.Errorf("%s: expected a tidy header, got %+v", name, h)
		}
		var records map[string]string
		if h.Name == "usr/bin/ping" {
			records = map[string]string{capXattr: "\x01\x00\x02"}
		}
		if !reflect.DeepEqual(h.PAXRecords, records) {
			t.Errorf("%s: expected records %q, got %q", name, records, h.PAXRecords)
		}
		if h.Name == "usr/bin/" && h.Mode != 0o751 {
			t.Errorf("usr/bin: expected its own mode in every layer, got %o", h.Mode)
		}
	}
}

func TestCleanName(t *testing.T) {
	tests := map[string]string{"./": ".", ".": ".", "./a/": "a", "/a/b": "a/b", "a//b": "a/b", "./.a": ".a", ".hidden": ".hidden"}
	for name, want := range tests {
		if got := cleanName(name); got != want {
			t.Errorf("%q: expected %q, got %q", name, want, got)
		}
	}
}
