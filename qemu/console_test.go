package qemu

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"
)

// feed returns the console after it has shown text at power-on.
func feed(text string) *console {
	c := newConsole(func() time.Duration { return 0 })
	c.write([]byte(text))
	return c
}

func TestConsoleText(t *testing.T) {
	tests := map[string]struct{ bytes, want string }{
		"plain":             {"one\ntwo\n", "one\ntwo\n"},
		"serial line ends":  {"one\r\ntwo\r\r\n\r\nthree", "one\ntwo\n\nthree"},
		"colours":           {"[\x1b[0;1;32m  OK  \x1b[0m] Reached \x1b[1mtarget\x1b[m\n", "[  OK  ] Reached target\n"},
		"progress bar":      {"10 %\r20 %\r\n", "10 %\n20 %\n"},
		"firmware clears":   {"\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe\x1b[2;1Hnext\n", "BdsDxe\nnext\n"},
		"window title":      {"\x1b]0;root@host\x07# \x1b]8;;x\x1b\\link\n", "# link\n"},
		"charset":           {"\x1b(Babc\n", "abc\n"},
		"unended sequence":  {"a\x1b]never\nb\x1b[12\nc\n", "a\nb\nc\n"},
		"bells and deletes": {"a\x07\b\x7fb\tc\n", "ab\tc\n"},
		"UTF-8":             {"größe\n", "größe\n"},
		"not UTF-8":         {"gr\xff\n", "gr\uFFFD\n"},
		"prompt":            {"login: ", "login: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := feed(test.bytes).text(); got != test.want {
				t.Errorf("at once: expected %q, got %q", test.want, got)
			}
			c := newConsole(func() time.Duration { return 0 })
			c.copyFrom(iotest.OneByteReader(strings.NewReader(test.bytes)))
			want := strings.TrimSuffix(test.want, "\n") + "\n" // the end completes a line
			if got := c.text(); got != want {
				t.Errorf("byte by byte: expected %q, got %q", want, got)
			}
		})
	}
}

func TestConsoleSinks(t *testing.T) {
	var raw, log bytes.Buffer
	var hooked []Line
	clock := 1500 * time.Millisecond
	c := newConsole(func() time.Duration { return clock })
	c.out, c.log, c.hook = &raw, &log, func(line Line) { hooked = append(hooked, line) }
	c.write([]byte("\x1b[1mone\r\ntw"))
	clock = 2 * time.Second
	c.write([]byte("o\r\n"))
	c.end()
	if got, want := raw.String(), "\x1b[1mone\r\ntwo\r\n"; got != want {
		t.Errorf("raw: expected %q, got %q", want, got)
	}
	if got, want := log.String(), "[    1.500] one\n[    1.500] two\n"; got != want {
		t.Errorf("log: expected %q, got %q", want, got)
	}
	if got, want := fmt.Sprint(hooked), "[[    1.500] one [    1.500] two]"; got != want {
		t.Errorf("hook: expected %s, got %s", want, got)
	}
}

func TestConsoleLimits(t *testing.T) {
	c := feed(strings.Repeat("x", maxLine+1))
	if lines := c.all(); len(lines) != 2 || len(lines[0].Text) != maxLine {
		t.Errorf("expected a line broken at %d bytes, got %d lines", maxLine, len(lines))
	}
	for range maxTranscript/maxLine + 2 {
		c.write(bytes.Repeat([]byte("y"), maxLine))
	}
	if c.size > maxTranscript || c.first == 0 || len(c.text()) > 2*maxTranscript {
		t.Errorf("expected at most %d bytes kept, got %d after forgetting %d lines", maxTranscript, c.size, c.first)
	}
	if _, err := c.expect(t.Context(), []*regexp.Regexp{regexp.MustCompile("^y")}, nil); err != nil {
		t.Errorf("expect behind forgotten lines: %v", err)
	}
}

func TestConsoleTail(t *testing.T) {
	if got := feed("").tail(2); got != "the console stayed empty" {
		t.Errorf("empty: got %q", got)
	}
	want := "last console lines:\n  [    0.000] two\n  [    0.000] three"
	if got := feed("one\ntwo\nthree").tail(2); got != want {
		t.Errorf("expected %q, got %q", want, got)
	}
}

func FuzzConsole(f *testing.F) {
	f.Add([]byte("\x1b[0;32m  OK  \x1b[0m\r\n\x1b]0;x\x07\x1b(B\x1b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		whole := feed(string(data))
		whole.end()
		pieces := newConsole(func() time.Duration { return 0 })
		pieces.copyFrom(iotest.OneByteReader(bytes.NewReader(data)))
		if whole.text() != pieces.text() {
			t.Errorf("at once %q, byte by byte %q", whole.text(), pieces.text())
		}
		if !utf8.ValidString(whole.text()) || strings.ContainsAny(whole.text(), "\x1b\r\x00") {
			t.Errorf("expected plain text, got %q", whole.text())
		}
	})
}
