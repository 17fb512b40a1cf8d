package tiny

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestParseOrder(t *testing.T) {
	got, err := parseOrder("console=ttyS0 tiny.check=hash tiny.wait=3 tiny.sum=/a tiny.sum=/b tiny.walk quiet")
	want := order{checkHash: true, wait: 3 * time.Second, sums: []string{"/a", "/b"}, walk: true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("expected %+v, got %+v, %v", want, got, err)
	}
	for _, bad := range []string{"tiny.check=md5", "tiny.wait=", "tiny.wait=-1", "tiny.wait=601"} {
		if _, err := parseOrder(bad); err == nil {
			t.Errorf("%s: expected an error", bad)
		}
	}
}

const mountinfo = `22 1 7:0 / / ro,relatime - erofs /dev/loop0 ro,user_xattr,acl
23 22 0:20 / /etc rw,relatime shared:1 - overlay overlay rw,lowerdir=/etc
24 22 0:21 / /var rw,nosuid - tmpfs tmpfs rw,size=10k
25 24 0:22 / /var/a\040b rw - tmpfs none rw
26 22 0:23 / /variant rw - tmpfs none rw
`

func TestParseMountinfo(t *testing.T) {
	mounts, err := parseMountinfo(mountinfo)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Mount{"/", "/dev/loop0", "erofs", "ro,relatime,user_xattr,acl"}); mounts[0] != want {
		t.Errorf("expected %+v, got %+v", want, mounts[0])
	}
	r := &Report{Mounts: mounts}
	for path, want := range map[string]string{"/usr": "/", "/etc": "/etc", "/etc/a": "/etc", "/var/lib": "/var",
		"/var/a b/c": "/var/a b", "/": "/", "/varian": "/"} {
		if m, ok := r.Mount(path); !ok || m.Target != want {
			t.Errorf("%s: expected %s, got %+v", path, want, m)
		}
	}
	if _, err := parseMountinfo("22 1 7:0 / /\n"); err == nil {
		t.Error("expected a short line to be refused")
	}
}

func TestCheckSums(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	root := fstest.MapFS{
		strings.TrimPrefix(SumsFile, "/"): file(empty + "  usr/same\n" + empty + "  usr/differs\n" + empty + "  usr/missing\n" + empty + "  var/gone\n"),
		"usr/same":                        file(""),
		"usr/differs":                     file("x"),
		"etc/extra":                       file(""),
		"run/ignored":                     file(""),
	}
	c, err := checkSums(root)
	if err != nil {
		t.Fatal(err)
	}
	if c.Files != 4 || len(c.Differ) != 1 || !strings.HasPrefix(c.Differ[0], "usr/differs: ") ||
		!reflect.DeepEqual(c.Missing, []string{"usr/missing"}) || !reflect.DeepEqual(c.Extra, []string{"etc/extra"}) {
		t.Errorf("unexpected outcome %+v", c)
	}
	if c.Clean() || (*Check)(nil).Clean() || !(&Check{Files: 1}).Clean() {
		t.Error("Clean: expected false, false, true")
	}
	if _, err := checkSums(fstest.MapFS{}); err == nil {
		t.Error("expected missing sums to be an error")
	}
}

func TestReportIsOneLine(t *testing.T) {
	line, err := json.Marshal(&Report{Boot: json.RawMessage("{\n  \"a\": 1\n}")})
	if err != nil || strings.Contains(string(line), "\n") {
		t.Errorf("expected one line, got %q, %v", line, err)
	}
}

func FuzzParseMountinfo(f *testing.F) {
	f.Add(mountinfo)
	f.Add(`1 1 0:0 / \04 rw - a b c`)
	f.Fuzz(func(t *testing.T, text string) {
		mounts, err := parseMountinfo(text)
		if err == nil {
			(&Report{Mounts: mounts}).Mount("/a")
		}
	})
}
