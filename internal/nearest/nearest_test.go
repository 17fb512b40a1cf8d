package nearest

import "testing"

func TestWord(t *testing.T) {
	known := []string{"reference", "root", "kargs", "fallback", "ntp"}
	for in, want := range map[string]string{
		"refrence":   "reference",
		"references": "reference",
		"karg":       "kargs",
		"rot":        "root",
		"zzzzzz":     "",
		"":           "",
	} {
		if got := Word(in, known); got != want {
			t.Errorf("Word(%q): expected %q, got %q", in, want, got)
		}
	}
}
