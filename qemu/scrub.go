package qemu

// linebreak says whether a byte ends the line before it.
type linebreak int

const (
	never       linebreak = iota
	unlessEmpty           // only if something was printed on the line
	always
)

// scrubState is where a scrubber stands in an escape sequence.
type scrubState int

const (
	ground  scrubState = iota
	escape             // after ESC
	control            // after ESC [, up to a final letter
	command            // after ESC ] and its like, up to BEL or ESC
)

// scrubber turns a terminal's byte stream into plain lines: escape sequences
// and control characters go, and whatever moves the cursor back to the left
// (a lone carriage return, positioning) begins a new line as soon as
// something is printed there.
type scrubber struct {
	state scrubState
	home  bool // the cursor is at the left, the line is not ended yet
}

// next takes one byte. It reports whether the byte is text and what becomes
// of the line before it.
func (s *scrubber) next(b byte) (text bool, newline linebreak) {
	switch {
	case b == '\n': // ends everything, so that a stray escape cannot eat the log
		*s = scrubber{}
		return false, always
	case s.state != ground:
		s.sequence(b)
		return false, never
	case b == 0x1b:
		s.state = escape
	case b == '\r':
		s.home = true
	case b >= ' ' && b != 0x7f || b == '\t':
		newline = never
		if s.home {
			newline = unlessEmpty
		}
		s.home = false
		return true, newline
	}
	return false, never
}

// sequence takes one byte of an escape sequence.
func (s *scrubber) sequence(b byte) {
	switch s.state {
	case escape:
		switch {
		case b == '[':
			s.state = control
		case b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_':
			s.state = command
		case b >= 0x20 && b <= 0x2f: // ESC ( B and the like: one more byte
		default:
			s.state = ground
		}
	case control:
		if b >= 0x20 && b <= 0x3f {
			return
		}
		s.state = ground
		if b == 'H' || b == 'f' || b == 'J' {
			s.home = true
		}
	case command:
		switch b {
		case 0x07:
			s.state = ground
		case 0x1b: // the backslash that follows ends it
			s.state = escape
		}
	}
}
