package strictjson

import (
	"encoding/json"
	"reflect"
	"strconv"
)

// value reads the next value into v; an invalid v means it is only checked.
func (d *decoder) value(v reflect.Value, depth int) error {
	if depth > d.maxDepth {
		return d.errorf(d.pos, "nested deeper than %d", d.maxDepth)
	}
	first := d.space()
	at := d.pos
	if first == 'n' {
		if err := d.word("null"); err != nil {
			return err
		}
		return d.setNull(v, at)
	}
	if v.IsValid() && v.Type() == reflect.TypeFor[Present]() {
		v.SetBool(true)
		v = reflect.Value{}
	}
	if v.IsValid() && v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem(), depth)
	}
	if v.IsValid() && v.Kind() == reflect.Interface && v.NumMethod() == 0 {
		return d.dynamic(v, first, depth)
	}
	switch first {
	case '{':
		return d.object(v, depth)
	case '[':
		return d.array(v, depth)
	}
	return d.scalar(v, first, at)
}

// scalar reads a string, true, false or a number into v.
func (d *decoder) scalar(v reflect.Value, first byte, at int) error {
	switch {
	case first == '"':
		s, err := d.text()
		if err != nil {
			return err
		}
		return d.set(v, at, "a string", reflect.String, func() { v.SetString(s) })
	case first == 't' || first == 'f':
		word := strconv.FormatBool(first == 't')
		if err := d.word(word); err != nil {
			return err
		}
		return d.set(v, at, word, reflect.Bool, func() { v.SetBool(first == 't') })
	case first == '-' || first >= '0' && first <= '9':
		text, err := d.number()
		if err != nil {
			return err
		}
		return d.setNumber(v, at, text)
	}
	return d.unexpected("expected a value")
}

// dynamic reads a value into v, an empty interface, as encoding/json would
// with UseNumber.
func (d *decoder) dynamic(v reflect.Value, first byte, depth int) error {
	var into reflect.Value
	switch first {
	case '{':
		into = reflect.ValueOf(new(map[string]any)).Elem()
	case '[':
		into = reflect.ValueOf(new([]any)).Elem()
	case '"':
		into = reflect.ValueOf(new(string)).Elem()
	case 't', 'f':
		into = reflect.ValueOf(new(bool)).Elem()
	default:
		into = reflect.ValueOf(new(json.Number)).Elem()
	}
	if err := d.value(into, depth); err != nil {
		return err
	}
	v.Set(into)
	return nil
}

// numberType is told apart from other string types, which take no numbers.
func numberType() reflect.Type { return reflect.TypeFor[json.Number]() }

// set calls assign if v takes values of this kind.
func (d *decoder) set(v reflect.Value, at int, got string, kind reflect.Kind, assign func()) error {
	if !v.IsValid() {
		return nil
	}
	if v.Kind() != kind || v.Type() == numberType() {
		return d.errorf(at, "expected %s, got %s", describe(v), got)
	}
	assign()
	return nil
}

func (d *decoder) setNull(v reflect.Value, at int) error {
	if !v.IsValid() {
		return nil
	}
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface:
		v.SetZero()
		return nil
	}
	if v.Type() == reflect.TypeFor[Present]() {
		v.SetZero()
		return nil
	}
	return d.errorf(at, "expected %s, got null", describe(v))
}

func (d *decoder) setNumber(v reflect.Value, at int, text string) error {
	switch {
	case !v.IsValid():
		return nil
	case v.Type() == numberType():
		v.SetString(text)
		return nil
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return d.errorf(at, "expected %s, got %s", describe(v), text)
		}
		v.SetInt(n)
		return nil
	case v.CanUint():
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return d.errorf(at, "expected %s, got %s", describe(v), text)
		}
		v.SetUint(n)
		return nil
	}
	return d.errorf(at, "expected %s, got a number", describe(v))
}

// describe names what v takes, for messages.
func describe(v reflect.Value) string {
	switch {
	case v.Type() == numberType():
		return "a number"
	case v.CanInt():
		return "an integer"
	case v.CanUint():
		return "an integer from 0"
	}
	switch v.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "nothing of Go type " + v.Type().String()
}

func (d *decoder) array(v reflect.Value, depth int) error {
	typed := v.IsValid()
	if typed && v.Kind() != reflect.Slice {
		return d.errorf(d.pos, "expected %s, got a list", describe(v))
	}
	d.pos++
	list := v
	if typed {
		list = reflect.MakeSlice(v.Type(), 0, 0)
	}
	for n := 0; ; n++ {
		if d.space() == ']' && n == 0 {
			break
		}
		var element reflect.Value
		if typed {
			element = reflect.New(v.Type().Elem()).Elem()
		}
		if err := d.value(element, depth+1); err != nil {
			return err
		}
		if typed {
			list = reflect.Append(list, element)
		}
		if d.space() == ']' {
			break
		}
		if err := d.expect(',', "or ']'"); err != nil {
			return err
		}
	}
	d.pos++
	if typed {
		v.Set(list)
	}
	return nil
}
