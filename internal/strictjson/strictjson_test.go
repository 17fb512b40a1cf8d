package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/internal/strictjson"
)

type inner struct {
	At   strictjson.Position `json:"-"`
	Name string              `json:"name"`
}

type outer struct {
	Type  string            `json:"type"`
	Size  int64             `json:"size,omitempty"`
	Small uint8             `json:"small,omitempty"`
	On    bool              `json:"on,omitempty"`
	Sub   *inner            `json:"sub,omitempty"`
	List  []inner           `json:"list,omitempty"`
	Notes map[string]string `json:"notes,omitempty"`
	Any   any               `json:"any,omitempty"`
	Count json.Number       `json:"count,omitempty"`

	There strictjson.Present `json:"there,omitempty"`
	Skip  string             `json:"-"`
}

func TestDecode(t *testing.T) {
	text := ` {"type":"\u0061\n\ud83d\ude00", "size":-7, "small":255, "on":true,
  "sub":{"name":"x"}, "list":[{"name":"y"},
    {"name":"z"}], "notes":{"A":"1","a":"2"}, "any":{"k":[1,null,"s",false,1.5e3]}, "count":12}
`
	var got outer
	if err := strictjson.Decode([]byte(text), &got, strictjson.Options{}); err != nil {
		t.Fatal(err)
	}
	want := outer{
		Type: "a\n😀", Size: -7, Small: 255, On: true,
		Sub:   &inner{strictjson.Position{Line: 2, Column: 9}, "x"},
		List:  []inner{{strictjson.Position{Line: 2, Column: 31}, "y"}, {strictjson.Position{Line: 3, Column: 5}, "z"}},
		Notes: map[string]string{"A": "1", "a": "2"},
		Any:   map[string]any{"k": []any{json.Number("1"), nil, "s", false, json.Number("1.5e3")}},
		Count: "12",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("expected %+v, got %+v", want, got)
	}
}

func TestDecodeNull(t *testing.T) {
	got := outer{Notes: map[string]string{"a": "b"}, List: []inner{{}}, Sub: &inner{}, Any: 1}
	text := `{"type":"", "notes":null, "list":null, "sub":null, "any":null}`
	if err := strictjson.Decode([]byte(text), &got, strictjson.Options{}); err != nil {
		t.Fatal(err)
	}
	if got.Notes != nil || got.List != nil || got.Sub != nil || got.Any != nil {
		t.Errorf("expected nothing, got %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, "line 1, column 1: expected a value, got the end"},
		{"\xef\xbb\xbf{}", "byte order mark"},
		{`{"type":"a"} x`, "line 1, column 14: data after the value"},
		{`{"type":"a"}{}`, "data after the value"},
		{`{"type":"a","type":"a"}`, `line 1, column 13: key "type" twice`},
		{`{"type":"a","\u0074ype":"b"}`, `key "type" twice`},
		{`{"Type":"a"}`, `key "Type" differs from "type" by case only`},
		{"{\"type\":\"a\",\n\"ſize\":1}", `line 2, column 1: key "ſize" differs from "size"`},
		{`{"type":"a","sizes":1}`, `unknown key "sizes", the nearest is "size"`},
		{`{"type":"a","qqqqqqqq":1}`, `unknown key "qqqqqqqq", expected one of type, size,`},
		{`{"size":1}`, `key "type" is missing`},
		{`{"type":"a","list":[{}]}`, `line 1, column 21: key "name" is missing`},
		{`{"type":null}`, "expected a string, got null"},
		{`{"type":1}`, "expected a string, got a number"},
		{`{"type":["a"]}`, "expected a string, got a list"},
		{`{"type":{}}`, "expected a string, got an object"},
		{`{"type":true}`, "expected a string, got true"},
		{`{"type":"a","on":1}`, "expected true or false, got a number"},
		{`{"type":"a","size":1.0}`, "expected an integer, got 1.0"},
		{`{"type":"a","size":1e2}`, "expected an integer, got 1e2"},
		{`{"type":"a","size":9223372036854775808}`, "expected an integer"},
		{`{"type":"a","small":256}`, "expected an integer from 0, got 256"},
		{`{"type":"a","small":-1}`, "expected an integer from 0, got -1"},
		{`{"type":"a","count":"1"}`, "expected a number, got a string"},
		{`{"type":"a","notes":[]}`, "expected an object, got a list"},
		{`{"type":"a","list":{}}`, "expected a list, got an object"},
		{`{"type":"a","notes":{"k":"1","k":"2"}}`, `key "k" twice`},
		{`{"type":"a","any":{"k":1,"k":1}}`, `key "k" twice`},
		{"{\"type\":\"\xff\"}", "line 1, column 10: invalid UTF-8"},
		{`{"type":"\ud800"}`, "half a surrogate pair"},
		{`{"type":"\ud800\u0041"}`, "half a surrogate pair"},
		{`{"type":"\udc00\ud800"}`, "half a surrogate pair"},
		{`{"type":"\u12g4"}`, "four hex digits"},
		{`{"type":"\u+123"}`, "four hex digits"},
		{`{"type":"\x"}`, "unknown escape"},
		{`{"type":"\`, "expected an escape character, got the end"},
		{"{\"type\":\"a\tb\"}", "control character 0x09"},
		{`{"type":"a`, "expected the end of a string"},
		{`{"type":"a",}`, "expected a string, got '}'"},
		{`{"type":"a" "size":1}`, "expected ',' or '}'"},
		{`{"type" "a"}`, "expected ':' after the key"},
		{`{type:"a"}`, "expected a string, got 't'"},
		{`{"type":"a","list":[,]}`, "expected a value"},
		{`{"type":"a","list":[{"name":"x"},]}`, "expected a value"},
		{`{"type":"a","list":[{"name":"x"} {"name":"x"}]}`, "expected ',' or ']'"},
		{`{"type":"a","size":01}`, "expected ',' or '}'"},
		{`{"type":"a","size":-}`, "expected a digit"},
		{`{"type":"a","any":1.}`, "expected a digit"},
		{`{"type":"a","any":1e}`, "expected a digit"},
		{`{"type":"a","any":.5}`, "expected a value"},
		{`{"type":"a","any":+1}`, "expected a value"},
		{`{"type":"a","any":NaN}`, "expected a value"},
		{`{"type":"a","any":tru}`, "expected true"},
		{`{"type":"a","any":nul}`, "expected null"},
		{`{"type":"a","any":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "nested deeper than 32"},
		{`[]`, "expected an object, got a list"},
		{`"x"`, "expected an object, got a string"},
		{`{"` + strings.Repeat("k", 500) + `":1}`, "kk…"},
		{"{\"type\":\"\u00e9\u00e9\", \"x\":1}", "column 15"},
	} {
		var got outer
		err := strictjson.Decode([]byte(c.text), &got, strictjson.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: expected %q, got %v", c.text, c.want, err)
		}
		var e *strictjson.Error
		if !errors.As(err, &e) {
			t.Errorf("%.80s: expected a *strictjson.Error, got %T", c.text, err)
		}
	}
}

func TestPresent(t *testing.T) {
	for text, want := range map[string]bool{
		`{"type":""}`: false, `{"type":"","there":null}`: false,
		`{"type":"","there":[1,{"a":{}}]}`: true, `{"type":"","there":"x"}`: true, `{"type":"","there":false}`: true, `{"type":"","there":0}`: true,
	} {
		var got outer
		if err := strictjson.Decode([]byte(text), &got, strictjson.Options{}); err != nil || bool(got.There) != want {
			t.Errorf("%s: expected %v, got %v, %v", text, want, got.There, err)
		}
	}
	for _, text := range []string{`{"type":"","there":[1,]}`, `{"type":"","there":{"a":1,"a":1}}`, `{"type":"","there":}`} {
		var got outer
		if err := strictjson.Decode([]byte(text), &got, strictjson.Options{}); err == nil {
			t.Errorf("%s: accepted", text)
		}
	}
}

func TestAllowUnknown(t *testing.T) {
	o := strictjson.Options{AllowUnknown: true}
	for _, c := range []struct{ text, want string }{
		{`{"type":"a","future":{"Type":[1,{"a":null}]}}`, ""},
		{`{"type":"a","Size":1}`, "by case only"},
		{`{"type":"a","future":1,"future":1}`, "twice"},
		{`{"type":"a","future":{"x":1,"x":1}}`, "twice"},
		{`{"type":"a","sub":{"name":"x","NAME":"y"}}`, "by case only"},
		{`{"type":"a","future":[1,2}`, "expected ',' or ']'"},
	} {
		var got outer
		err := strictjson.Decode([]byte(c.text), &got, o)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, got %v", c.text, c.want, err)
		}
	}
}

func TestLimits(t *testing.T) {
	var v any
	if err := strictjson.Decode([]byte(`[[1]]`), &v, strictjson.Options{MaxDepth: 2}); err != nil {
		t.Error(err)
	}
	if err := strictjson.Decode([]byte(`[[1]]`), &v, strictjson.Options{MaxDepth: 1}); err == nil {
		t.Error("depth 2 passed a limit of 1")
	}
	if err := strictjson.Decode([]byte(`[1]`), &v, strictjson.Options{MaxBytes: 2}); err == nil {
		t.Error("3 bytes passed a limit of 2")
	}
	if err := strictjson.Decode([]byte(strings.Repeat(" ", strictjson.DefaultMaxBytes)+"1"), &v, strictjson.Options{}); err == nil {
		t.Error("a document over the default limit passed")
	}
	keys := make([]string, 1<<14+1)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"k%d":0`, i)
	}
	if err := strictjson.Decode([]byte("{"+strings.Join(keys[1:], ",")+"}"), &v, strictjson.Options{}); err != nil {
		t.Error(err)
	}
	if err := strictjson.Decode([]byte("{"+strings.Join(keys, ",")+"}"), &v, strictjson.Options{}); err == nil {
		t.Error("an object with too many keys passed")
	}
	if err := strictjson.Decode([]byte(`1`), v, strictjson.Options{}); err == nil {
		t.Error("a target that is no pointer passed")
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5e-3,"\u00e9\ud83d\ude00",null,true,{}]}`, `[]`, `"\ud800"`, `{"a":1,"a":2}`, `-0`, `1e999`, "\xff", ` 1 `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var typed outer
		_ = strictjson.Decode(data, &typed, strictjson.Options{AllowUnknown: true})
		var ours, theirs any
		if strictjson.Decode(data, &ours, strictjson.Options{}) != nil {
			return
		}
		std := json.NewDecoder(strings.NewReader(string(data)))
		std.UseNumber()
		if err := std.Decode(&theirs); err != nil {
			t.Fatalf("%q: encoding/json refuses it: %v", data, err)
		}
		if !reflect.DeepEqual(ours, theirs) {
			t.Fatalf("%q: expected %#v, got %#v", data, theirs, ours)
		}
	})
}

func ExampleDecode() {
	var policy struct {
		KeyPath string `json:"keyPath"`
	}
	err := strictjson.Decode([]byte("{\n  \"keyPaht\": \"a.pub\"\n}"), &policy, strictjson.Options{})
	fmt.Println(err)
	// Output: line 2, column 3: unknown key "keyPaht", the nearest is "keyPath"
}
