package shape

import (
	"bytes"
	"regexp"
)

// forbidden are texts that name the machine something was written on, or one
// place to download from; neither is the same elsewhere. They are put together
// here so that this file does not hold them.
var forbidden = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`/(home|Users)` + `/[a-z][a-z0-9_-]*/`), "a path in somebody's home directory"},
	{regexp.MustCompile(`/root` + `/[A-Za-z.]`), "a path in root's home directory"},
	{regexp.MustCompile(`\b(deb|ftp(\.[a-z]+)?|http|security|archive|mirrors?)\.` + `(us\.)?(debian\.org|ubuntu\.com|kernel\.org)`), "the host of a package mirror"},
	{regexp.MustCompile(`\b(proxy\.golang` + `\.org|goproxy\.[a-z]+)`), "the host of a module proxy"},
}

// ForbiddenWords returns the lines of a file that hold one of them. Files that
// are not text are passed over.
func ForbiddenWords(name string, text []byte) []Finding {
	if bytes.IndexByte(text, 0) >= 0 {
		return nil
	}
	var out []Finding
	for _, f := range forbidden {
		for _, at := range f.pattern.FindAllIndex(text, -1) {
			line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
			out = append(out, found(position(name, line), "%q: %s", text[at[0]:at[1]], f.why))
		}
	}
	return out
}
