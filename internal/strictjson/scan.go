package strictjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// decoder walks over data once; pos is the next byte to read.
type decoder struct {
	data         []byte
	pos          int
	maxDepth     int
	allowUnknown bool
}

// space skips white space and returns the byte after it, 0 at the end.
func (d *decoder) space() byte {
	for d.pos < len(d.data) {
		switch b := d.data[d.pos]; b {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return b
		}
	}
	return 0
}

// expect skips white space and the byte b.
func (d *decoder) expect(b byte, where string) error {
	if got := d.space(); got != b {
		return d.unexpected("expected %q %s", b, where)
	}
	d.pos++
	return nil
}

// unexpected reports that the next byte is not what the text asks for.
func (d *decoder) unexpected(format string, args ...any) error {
	if d.pos >= len(d.data) {
		return d.errorf(d.pos, format+", got the end of the document", args...)
	}
	r, _ := utf8.DecodeRune(d.data[d.pos:])
	return d.errorf(d.pos, format+", got %q", append(args, r)...)
}

// word reads the literal w.
func (d *decoder) word(w string) error {
	if len(d.data)-d.pos < len(w) || string(d.data[d.pos:d.pos+len(w)]) != w {
		return d.errorf(d.pos, "expected %s", w)
	}
	d.pos += len(w)
	return nil
}

// number reads a number and returns its text.
func (d *decoder) number() (string, error) {
	start := d.pos
	digits := func() bool {
		from := d.pos
		for d.pos < len(d.data) && d.data[d.pos] >= '0' && d.data[d.pos] <= '9' {
			d.pos++
		}
		return d.pos > from
	}
	skip := func(set string) bool {
		for i := range len(set) {
			if d.pos < len(d.data) && d.data[d.pos] == set[i] {
				d.pos++
				return true
			}
		}
		return false
	}
	skip("-")
	if !skip("0") && !digits() {
		return "", d.unexpected("expected a digit")
	}
	if skip(".") && !digits() {
		return "", d.unexpected("expected a digit")
	}
	if skip("eE") {
		skip("+-")
		if !digits() {
			return "", d.unexpected("expected a digit")
		}
	}
	return string(d.data[start:d.pos]), nil
}

// text reads a string, the opening quote included.
func (d *decoder) text() (string, error) {
	if d.space() != '"' {
		return "", d.unexpected("expected a string")
	}
	d.pos++
	var out []byte
	for from := d.pos; d.pos < len(d.data); {
		switch b := d.data[d.pos]; {
		case b == '"':
			out = append(out, d.data[from:d.pos]...)
			d.pos++
			return string(out), nil
		case b < ' ':
			return "", d.errorf(d.pos, "control character %#02x in a string", b)
		case b == '\\':
			out = append(out, d.data[from:d.pos]...)
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
			from = d.pos
		default:
			d.pos++
		}
	}
	return "", d.unexpected("expected the end of a string")
}

// escape reads one escape sequence, or two that make a surrogate pair.
func (d *decoder) escape() (rune, error) {
	start := d.pos
	if d.pos++; d.pos >= len(d.data) {
		return 0, d.unexpected("expected an escape character")
	}
	b := d.data[d.pos]
	d.pos++
	switch b {
	case '"', '\\', '/':
		return rune(b), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return d.unicode(start)
	}
	return 0, d.errorf(start, "unknown escape sequence")
}

// unicode reads the digits of \uXXXX; start is where the sequence began.
func (d *decoder) unicode(start int) (rune, error) {
	r, ok := d.hex4()
	if ok && utf16.IsSurrogate(r) {
		low, paired := rune(0), false
		if len(d.data)-d.pos >= 6 && d.data[d.pos] == '\\' && d.data[d.pos+1] == 'u' {
			d.pos += 2
			low, paired = d.hex4()
		}
		r = utf16.DecodeRune(r, low)
		if !paired || r == utf8.RuneError {
			return 0, d.errorf(start, "half a surrogate pair")
		}
	}
	if !ok {
		return 0, d.errorf(start, "expected four hex digits after \\u")
	}
	return r, nil
}

func (d *decoder) hex4() (rune, bool) {
	if len(d.data)-d.pos < 4 {
		return 0, false
	}
	digits := string(d.data[d.pos : d.pos+4])
	n, err := strconv.ParseUint(digits, 16, 16)
	if err != nil {
		return 0, false
	}
	d.pos += 4
	return rune(n), true
}
