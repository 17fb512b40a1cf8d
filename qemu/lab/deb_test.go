package lab

import (
	"reflect"
	"strings"
	"testing"
)

const goodSum = "fcd42bb5cb63f7bfc4326a92541247872206d60a192fdff65ca14eb83ed408b9"

func TestLockFile(t *testing.T) {
	list, err := parseLock(lockText)
	if err != nil {
		t.Fatal(err)
	}
	if got := formatLock(list); got != lockText {
		t.Errorf("debian-%s.lock: expected what formatLock writes; run make lock", testSuite)
	}
	kernels := 0
	for _, p := range list {
		if isImageKernel(p) {
			kernels++
		}
	}
	if kernels != 1 {
		t.Errorf("expected one kernel package, got %d", kernels)
	}
}

func TestParseLockRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"columns", "bash 1 amd64", "line 1: expected package"},
		{"upper case", "Bash 1 amd64 " + goodSum, "bad package name"},
		{"path", "../bash 1 amd64 " + goodSum, "bad package name"},
		{"option", "-obash 1 amd64 " + goodSum, "bad package name"},
		{"version", "bash 1/2 amd64 " + goodSum, "bad version"},
		{"architecture", "bash 1 arm64 " + goodSum, "expected architecture"},
		{"short sum", "bash 1 amd64 " + goodSum[2:], "SHA-256"},
		{"no sum", "bash 1 amd64 " + strings.Repeat("x", 64), "SHA-256"},
		{"order", "b1 1 all " + goodSum + "\na1 1 all " + goodSum, "line 2: a1: expected sorted"},
		{"twice", "b1 1 all " + goodSum + "\nb1 1 all " + goodSum, "sorted, unique"},
		{"size", strings.Repeat("#", maxLockSize+1), "at most"},
	}
	for _, tt := range tests {
		_, err := parseLock(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: expected %q, got %v", tt.name, tt.want, err)
		}
	}
}

func TestDiffLock(t *testing.T) {
	locked := []debPackage{{Name: "gone", Version: "1"}, {Name: "same", Version: "1"}, {Name: "sum", Version: "1", SHA256: "a"}, {Name: "up", Version: "1"}}
	got := []debPackage{{Name: "new", Version: "1"}, {Name: "same", Version: "1"}, {Name: "sum", Version: "1", SHA256: "b"}, {Name: "up", Version: "2"}}
	want := []string{"gone: locked 1, now gone", "new: not locked, now 1", "sum 1: locked sha256 a, now b", "up: locked 1, now 2"}
	if notes := diffLock(locked, got); !reflect.DeepEqual(notes, want) {
		t.Errorf("expected %q, got %q", want, notes)
	}
	if notes := diffLock(locked, locked); notes != nil {
		t.Errorf("expected no difference, got %q", notes)
	}
}

func TestPackageFile(t *testing.T) {
	p := debPackage{Name: "login", Version: "1:4.16.0-2+really2.41.5-0+deb13u1", Arch: "amd64"}
	if got, want := p.file(), "login_1%3a4.16.0-2+really2.41.5-0+deb13u1_amd64.deb"; got != want {
		t.Errorf("expected %s, got %s", want, got)
	}
}

func TestParseDeb822(t *testing.T) {
	got, err := parseDeb822("# comment\nPackage: a\nDescription: one\n two\n .\n\n\nPackage: b\r\nEmpty:\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []paragraph{{"package": "a", "description": "one\ntwo\n."}, {"package": "b", "empty": ""}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("expected %q, got %q", want, got)
	}
	for _, text := range []string{" continuation", "no colon", ": no name"} {
		if _, err := parseDeb822(text); err == nil {
			t.Errorf("%q: expected an error", text)
		}
	}
}

func TestFirstDependency(t *testing.T) {
	tests := map[string]string{
		"linux-image-6.1.0-56-amd64 (= 6.1.192-2)": "linux-image-6.1.0-56-amd64",
		"a | b, c": "a",
		"a:any":    "a",
		"a":        "a",
		"":         "",
	}
	for depends, want := range tests {
		if got := firstDependency(depends); got != want {
			t.Errorf("%q: expected %q, got %q", depends, want, got)
		}
	}
}

func TestNotInstalled(t *testing.T) {
	status := "ovmf installed\nmmdebstrap config-files\nlibc6 not-installed\nlibc6 installed\n"
	got := notInstalled(status, []string{"ovmf", "mmdebstrap", "libc6", "unknown"})
	if want := []string{"mmdebstrap", "unknown"}; !reflect.DeepEqual(got, want) {
		t.Errorf("expected %q, got %q", want, got)
	}
}

func TestParseURIs(t *testing.T) {
	text := `Reading package lists...
'http://mirror.test/debian/pool/main/l/login_1%3a4_amd64.deb' login_1%3a4_amd64.deb 10 MD5Sum:00
Note, selecting 'x_1.deb' for pattern
'http://mirror.test/debian/pool/main/u/udev_257_amd64.deb' udev_257_amd64.deb 10 SHA256:00
`
	if got, want := parseURIs(text), []string{"login", "udev"}; !reflect.DeepEqual(got, want) {
		t.Errorf("expected %q, got %q", want, got)
	}
}

func TestModuleClosure(t *testing.T) {
	index := "kernel/a/one.ko.xz: kernel/b/two-x.ko.xz kernel/c/three.ko\nkernel/b/two-x.ko.xz: kernel/c/three.ko\nkernel/c/three.ko:\nkernel/d/four.ko:\n"
	got, err := moduleClosure(index, []string{"one", "two_x"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"kernel/a/one.ko.xz", "kernel/b/two-x.ko.xz", "kernel/c/three.ko"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("expected %q, got %q", want, got)
	}
	if _, err := moduleClosure(index, []string{"five"}); err == nil {
		t.Error("expected an unknown module to be an error")
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add(lockText)
	f.Add("bash 1 amd64 " + goodSum)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseLock(text)
		if err != nil {
			return
		}
		again, err := parseLock(formatLock(list))
		if err != nil || !reflect.DeepEqual(list, again) {
			t.Errorf("expected %v again, got %v, %v", list, again, err)
		}
	})
}

func FuzzParseDeb822(f *testing.F) {
	f.Add("Package: a\n b\n\nPackage: c\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseDeb822(text)
		if err == nil {
			for _, p := range all {
				firstDependency(p["depends"])
			}
		}
	})
}
