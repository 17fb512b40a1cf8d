// Package strictjson decodes JSON so that no two readers can see different
// things in the same bytes.
//
// Decode fills a Go value like encoding/json does, with the same struct tags,
// but refuses what encoding/json lets pass: a key twice in one object, a key
// that differs from a known one by case only, an unknown key (unless
// Options.AllowUnknown), a missing key (a field is optional only with
// omitempty), null for anything but a map, slice, pointer or any, invalid
// UTF-8, half a surrogate pair, fractions where an integer belongs, data after
// the value, and anything beyond the limits. Errors say line and column, and
// for an unknown key the nearest known one.
//
// It does not know embedded structs, the string tag option, arrays, floats in
// typed fields, or custom unmarshalers; a Go type with one of these is an
// error too.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Limits that hold where Options says nothing.
const (
	DefaultMaxBytes = 4 << 20
	DefaultMaxDepth = 32
)

// maxKeys is how many keys one object may have: they are all remembered.
const maxKeys = 1 << 14

// Present is the type of a field whose value is only checked and thrown away:
// true if the key is there and not null.
type Present bool

// Options are the limits of one Decode; the zero value is the strictest.
type Options struct {
	// MaxBytes is the longest document; 0 means DefaultMaxBytes.
	MaxBytes int
	// MaxDepth is the deepest nesting; 0 means DefaultMaxDepth.
	MaxDepth int
	// AllowUnknown skips unknown keys of structs, if they do not differ from
	// a known one by case only.
	AllowUnknown bool
}

// Position is a place in a document, both counted from 1. A struct field of
// this type is filled with the place where the struct's object begins.
type Position struct{ Line, Column int }

// String returns "line L, column C".
func (p Position) String() string { return fmt.Sprintf("line %d, column %d", p.Line, p.Column) }

// Error is what is wrong with a document, and where.
type Error struct {
	Position
	Message string
}

// Error returns "line L, column C: message".
func (e *Error) Error() string { return e.Position.String() + ": " + e.Message }

// Decode reads the one JSON value in data into the variable that v points to.
// Errors about the document are of type *Error.
func Decode(data []byte, v any, o Options) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return errors.New("strictjson: expected a pointer to decode into")
	}
	d := &decoder{data: data, maxDepth: o.MaxDepth, allowUnknown: o.AllowUnknown}
	if d.maxDepth == 0 {
		d.maxDepth = DefaultMaxDepth
	}
	limit := o.MaxBytes
	if limit == 0 {
		limit = DefaultMaxBytes
	}
	if len(data) > limit {
		return d.errorf(0, "expected at most %d bytes, got %d", limit, len(data))
	}
	if at := invalidUTF8(data); at >= 0 {
		return d.errorf(at, "invalid UTF-8")
	}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return d.errorf(0, "byte order mark")
	}
	if err := d.value(target.Elem(), 0); err != nil {
		return err
	}
	if d.space(); d.pos < len(data) {
		return d.errorf(d.pos, "data after the value")
	}
	return nil
}

// invalidUTF8 returns where the first invalid sequence begins, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// errorf makes an error about the byte at offset.
func (d *decoder) errorf(offset int, format string, args ...any) error {
	return &Error{d.position(offset), fmt.Sprintf(format, args...)}
}

func (d *decoder) position(offset int) Position {
	before := d.data[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return Position{
		Line:   bytes.Count(before, []byte{'\n'}) + 1,
		Column: utf8.RuneCount(before[start:]) + 1,
	}
}
