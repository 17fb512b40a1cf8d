package lab

import (
	"errors"
	"testing"
	"testing/fstest"
)

const osRelease = "ID=debian\nVERSION_CODENAME=bookworm\nNAME=\"Debian GNU/Linux\"\n"

func TestHostArchive(t *testing.T) {
	const main, security = "http://mirror.test/debian", "http://mirror.test/debian-security"
	deb822 := "Types: deb deb-src\nURIs: " + main + "\nSuites: bookworm bookworm-updates\nComponents: main\n\n" +
		"Types: deb\nURIs: " + security + "\nSuites: bookworm-security\nComponents: main contrib\n"
	tests := []struct {
		name           string
		files          map[string]string
		main, security string
	}{
		{"deb822", map[string]string{"sources.list.d/debian.sources": deb822}, main, security},
		{"one line", map[string]string{"sources.list": "# deb http://old.test/debian bookworm main\n" +
			"deb cdrom:[Debian 12]/ bookworm main\ndeb-src " + main + " bookworm main\n" +
			"deb [arch=amd64 signed-by=/k.gpg] " + main + " bookworm contrib main # mine\n"}, main, ""},
		{"another publisher first", map[string]string{
			"sources.list":                  "deb http://vendor.test/12/prod bookworm main\n",
			"sources.list.d/debian.sources": deb822}, main, security},
		{"disabled", map[string]string{
			"sources.list.d/a.sources": "Enabled: no\nTypes: deb\nURIs: http://off.test/debian\nSuites: bookworm\nComponents: main\n",
			"sources.list.d/b.sources": deb822}, main, security},
		{"cloud image", map[string]string{
			"sources.list.d/debian.sources": "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: bookworm\nComponents: main\n"},
			"mirror+file:///etc/apt/mirrors/debian.list", ""},
		{"unusual directory", map[string]string{"sources.list": "deb http://mirror.test/pub/ bookworm main\n"}, "http://mirror.test/pub/", ""},
		{"other suite only", map[string]string{"sources.list": "deb " + main + " trixie main\n"}, "", ""},
		{"nothing", nil, "", ""},
	}
	for _, tt := range tests {
		root := fstest.MapFS{"etc/os-release": {Data: []byte(osRelease)}}
		for name, text := range tt.files {
			root["etc/apt/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
		a, err := hostArchive(root)
		if tt.main == "" {
			if !errors.Is(err, ErrHost) {
				t.Errorf("%s: expected ErrHost, got %+v, %v", tt.name, a, err)
			}
			continue
		}
		if err != nil || a != (archive{"bookworm", tt.main, tt.security}) {
			t.Errorf("%s: expected %s and %s, got %+v, %v", tt.name, tt.main, tt.security, a, err)
		}
	}
}

func TestHostCodename(t *testing.T) {
	for _, text := range []string{"", "ID=fedora\nVERSION_CODENAME=x\n", "ID=debian\n"} {
		_, err := hostCodename(fstest.MapFS{"etc/os-release": {Data: []byte(text)}})
		if !errors.Is(err, ErrHost) {
			t.Errorf("%q: expected ErrHost, got %v", text, err)
		}
	}
}
