package strictjson

import (
	"reflect"
	"strings"

	"github.com/slipway-boot/slipway/internal/nearest"
)

// object reads an object into a struct, a map with string keys, or nothing.
func (d *decoder) object(v reflect.Value, depth int) error {
	start := d.pos
	var known fields
	switch {
	case !v.IsValid():
	case v.Kind() == reflect.Struct:
		known = fieldsOf(v.Type())
		known.setPosition(v, d.position(start))
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		v.Set(reflect.MakeMap(v.Type()))
	default:
		return d.errorf(start, "expected %s, got an object", describe(v))
	}
	d.pos++
	seen := map[string]bool{}
	for {
		if d.space() == '}' && len(seen) == 0 {
			break
		}
		if err := d.member(v, known, seen, depth); err != nil {
			return err
		}
		if d.space() == '}' {
			break
		}
		if err := d.expect(',', "or '}'"); err != nil {
			return err
		}
	}
	d.pos++
	for _, f := range known.list {
		if f.required && !seen[f.key] {
			return d.errorf(start, "key %q is missing", f.key)
		}
	}
	return nil
}

// member reads one key and its value into v.
func (d *decoder) member(v reflect.Value, known fields, seen map[string]bool, depth int) error {
	d.space()
	at := d.pos
	key, err := d.text()
	if err != nil {
		return err
	}
	if seen[key] {
		return d.errorf(at, "key %q twice in one object", clip(key))
	}
	if seen[key] = true; len(seen) > maxKeys {
		return d.errorf(at, "more than %d keys in one object", maxKeys)
	}
	var into reflect.Value
	switch {
	case !v.IsValid():
	case v.Kind() == reflect.Map:
		into = reflect.New(v.Type().Elem()).Elem()
	default:
		f, err := d.find(known, key, at)
		if err != nil {
			return err
		}
		if f != nil {
			into = v.Field(f.index)
		}
	}
	if err := d.expect(':', "after the key"); err != nil {
		return err
	}
	if err := d.value(into, depth+1); err != nil {
		return err
	}
	if v.IsValid() && v.Kind() == reflect.Map {
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), into)
	}
	return nil
}

// find returns the struct field for key, or nil for an unknown key that may
// be skipped.
func (d *decoder) find(known fields, key string, at int) (*field, error) {
	var names []string
	for i := range known.list {
		f := &known.list[i]
		if f.key == key {
			return f, nil
		}
		names = append(names, f.key)
	}
	for _, name := range names {
		if strings.EqualFold(name, key) {
			return nil, d.errorf(at, "key %q differs from %q by case only", clip(key), name)
		}
	}
	if d.allowUnknown {
		return nil, nil
	}
	if near := nearest.Word(key, names); near != "" {
		return nil, d.errorf(at, "unknown key %q, the nearest is %q", clip(key), near)
	}
	return nil, d.errorf(at, "unknown key %q, expected one of %s", clip(key), strings.Join(names, ", "))
}

// clip keeps a key from outside short enough for a message.
func clip(key string) string {
	const most = 64
	if len(key) > most {
		return key[:most] + "…"
	}
	return key
}

// field is one key of a struct.
type field struct {
	key      string
	index    int
	required bool
}

// fields are the keys of a struct, and the field for its position or -1.
type fields struct {
	list     []field
	position int
}

func fieldsOf(t reflect.Type) fields {
	fs := fields{position: -1}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == reflect.TypeFor[Position]() {
			fs.position = i
			continue
		}
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "" || key == "-" || !f.IsExported() {
			continue
		}
		fs.list = append(fs.list, field{key, i, options != "omitempty"})
	}
	return fs
}

func (fs fields) setPosition(v reflect.Value, p Position) {
	if fs.position >= 0 {
		v.Field(fs.position).Set(reflect.ValueOf(p))
	}
}
