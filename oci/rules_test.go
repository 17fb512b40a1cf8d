package oci

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	p, err := ParsePolicy([]byte(fullPolicy), []byte(fullBootPolicy), testKeys)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		scope     string
		isDefault bool
		identity  Identity
		threshold int
	}{
		{"a.example/os", false, Identity{Type: matchRepository}, 0},
		{"a.example/x", false, Identity{Type: exactReference, Name: "b.example/y:z"}, 1},
		{"a.example/y", false, Identity{Type: exactRepository, Name: "b.example/y"}, 1},
		{"a.example/z", false, Identity{Type: remapIdentity, Prefix: "a.example", SignedPrefix: "b.example/q"}, 1},
		{"*.example", false, Identity{Type: matchRepoDigestOrExact}, 1},
		{"", false, Identity{}, 0},
		{"", true, Identity{}, 0},
	}
	rules := p.Rules()
	if len(rules) != len(want) {
		t.Fatalf("expected %d rules, got %+v", len(want), rules)
	}
	for i, w := range want {
		r := rules[i]
		var id Identity
		if r.Requirements[0].Identity != nil {
			id = *r.Requirements[0].Identity
		}
		if r.Scope != w.scope || r.Default != w.isDefault || id != w.identity || r.Threshold != w.threshold {
			t.Errorf("expected %+v, got %+v with %+v", w, r, id)
		}
	}
	if rules := new(Policy).Rules(); len(rules) != 1 || !rules[0].Rejects() || !reflect.DeepEqual(rules[0].Explain(), []string{"rejected, whoever signed"}) {
		t.Errorf("the zero policy: got %+v", rules)
	}
}

// Requirements of the tests below: each letter is a key.
func required(letters string) string {
	files := map[rune]string{'A': "cosign.pub", 'B': "c-p256.pub", 'C': "c-rsa2048.pub", 'D': "c-rsa4096.pub"}
	var names []string
	for _, l := range letters {
		names = append(names, fmt.Sprintf("%q", files[l]))
	}
	return fmt.Sprintf(`{"type": "sigstoreSigned", "keyPaths": [%s], "signedIdentity": {"type": "matchRepository"}}`, strings.Join(names, ", "))
}

// explained returns what is said of a default, each key as its letter.
func explained(t *testing.T, list string) (Rule, string) {
	t.Helper()
	p, err := ParsePolicy([]byte(`{"default": [`+list+`]}`), []byte("schema = 1\n[allow]\nunsigned = true\n"), testKeys)
	if err != nil {
		t.Fatal(err)
	}
	rule := p.Rules()[0]
	text := strings.Join(rule.Explain(), "\n")
	for letter, file := range map[string]string{"A": "cosign.pub", "B": "c-p256.pub", "C": "c-rsa2048.pub", "D": "c-rsa4096.pub"} {
		k, err := LoadPublic(keyDir + file)
		if err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "\n   "+k.ID(), " "+letter)
		text = strings.ReplaceAll(text, "\n      "+k.ID(), " "+letter)
	}
	return rule, text
}

// TestExplainRequirements: who has to sign.
func TestExplainRequirements(t *testing.T) {
	const name = "\nfor the name: the repository asked for, with any tag or none (matchRepository)"
	const inner = "\n   for the name: the repository asked for, with any tag or none (matchRepository)"
	all := func(parts ...string) string { return strings.Join(parts, ",") }
	exact := `{"type": "sigstoreSigned", "keyPaths": ["c-p256.pub"], "signedIdentity": {"type": "matchExact"}}`
	const reject, anything = `{"type": "reject"}`, `{"type": "insecureAcceptAnything"}`
	for _, c := range []struct {
		list      string
		threshold int
		want      string
	}{
		{reject, 0, "rejected, whoever signed"},
		{all(required("A"), reject), 0, "rejected, whoever signed"},
		{all(anything, reject), 0, "rejected, whoever signed"},
		{anything, 0, "ACCEPTED WITHOUT A SIGNATURE (insecureAcceptAnything)"},
		{all(anything, required("A")), 1, "signed by this key: A" + name},
		{required("A"), 1, "signed by this key: A" + name},
		{required("BA"), 1, "signed by any one of these 2 keys: B A" + name},
		{all(required("A"), required("B"), required("C")), 3, "signed by all of these 3 keys: A B C" + name},
		{all(required("AB"), required("BC"), required("AC")), 2, "signed by at least 2 of these 3 keys: A B C" + name},
		{all(required("CA"), required("AB"), required("CB")), 2, "signed by at least 2 of these 3 keys: C A B" + name},
		{all(required("ABC"), required("ABD"), required("ACD"), required("BCD")), 2, "signed by at least 2 of these 4 keys: A B C D" + name},
		{all(required("AB"), required("AC"), required("AD"), required("BC"), required("BD"), required("CD")), 3, "signed by at least 3 of these 4 keys: A B C D" + name},
		// One of the choices is missing: A alone meets both.
		{all(required("AB"), required("AC")), 0, "all of these 2 requirements:\n1. signed by any one of these 2 keys: A B" + inner +
			"\n2. signed by any one of these 2 keys: A C" + inner + "\none key alone can meet all of them: A"},
		{all(required("A"), required("BC")), 0, "all of these 2 requirements:\n1. signed by this key: A" + inner +
			"\n2. signed by any one of these 2 keys: B C" + inner},
		// The same keys, but not the same name.
		{all(required("A"), exact), 0, "all of these 2 requirements:\n1. signed by this key: A" + inner +
			"\n2. signed by this key: B\n   for the name: the reference asked for, with its tag or digest (matchExact)"},
	} {
		rule, got := explained(t, c.list)
		if got != c.want || rule.Threshold != c.threshold {
			t.Errorf("%s:\nexpected %d, %s\ngot      %d, %s", c.list, c.threshold, c.want, rule.Threshold, got)
		}
	}
}

// TestThreshold holds the words to what the policy does: with fewer keys than
// they say a requirement stays unmet, with as many none does.
func TestThreshold(t *testing.T) {
	const letters = "ABCD"
	for _, list := range []string{"A", "AB", "A,B", "AB,BC,AC", "A,B,C,D", "ABC,ABD,ACD,BCD", "AB,AC,AD,BC,BD,CD", "ABCD"} {
		sets := strings.Split(list, ",")
		var parts []string
		for _, s := range sets {
			parts = append(parts, required(s))
		}
		rule, _ := explained(t, strings.Join(parts, ","))
		for have := range 1 << len(letters) {
			met, count := true, 0
			for i, l := range letters {
				if have>>i&1 == 1 && strings.ContainsRune(list, l) {
					count++
				}
			}
			for _, s := range sets {
				one := false
				for i, l := range letters {
					one = one || have>>i&1 == 1 && strings.ContainsRune(s, l)
				}
				met = met && one
			}
			if met != (count >= rule.Threshold) {
				t.Errorf("%s: threshold %d, met by %d keys: %v", list, rule.Threshold, count, met)
			}
		}
	}
	for _, c := range []struct{ n, k, want int }{{1, 1, 1}, {3, 2, 3}, {6, 3, 20}, {64, 1, 64}, {64, 63, 64}} {
		if got := choices(c.n, c.k); got != c.want {
			t.Errorf("%d of %d: expected %d, got %d", c.k, c.n, c.want, got)
		}
	}
	if got := choices(maxRequirements*maxKeys, maxKeys); got <= maxRequirements {
		t.Errorf("expected more than %d, got %d", maxRequirements, got)
	}
}

func TestExplainIdentity(t *testing.T) {
	for _, k := range identityKinds() {
		id := &Identity{Type: k.kind, Name: "NAME", Prefix: "OLD", SignedPrefix: "NEW"}
		want := map[string]string{
			matchExact:             "the reference asked for, with its tag or digest (matchExact)",
			matchRepoDigestOrExact: "the reference asked for, with its tag; if asked for by digest, the repository with any tag (matchRepoDigestOrExact)",
			matchRepository:        "the repository asked for, with any tag or none (matchRepository)",
			exactReference:         "NAME, whatever was asked for (exactReference)",
			exactRepository:        "NAME with any tag or none, whatever was asked for (exactRepository)",
			remapIdentity:          "the reference asked for, with NEW in place of OLD in front (remapIdentity)",
		}[k.kind]
		if got := id.Explain(); got != "for the name: "+want {
			t.Errorf("%s: expected %q, got %q", k.kind, want, got)
		}
	}
}

func TestScopeWords(t *testing.T) {
	for _, c := range []struct {
		rule         Rule
		name, covers string
	}{
		{Rule{Default: true}, "everything else", "images that no other scope is for"},
		{Rule{}, "every image", "images of every registry"},
		{Rule{Scope: "*.a.example"}, "*.a.example", "images of every registry whose name ends in .a.example"},
		{Rule{Scope: "a.example:5000"}, "a.example:5000", "images of this registry"},
		{Rule{Scope: "[::1]:5000"}, "[::1]:5000", "images of this registry"},
		{Rule{Scope: "a.example/os"}, "a.example/os", "images of this repository and those below it"},
		{Rule{Scope: "a.example:5000/os:v1"}, "a.example:5000/os:v1", "the image asked for by this tag"},
		{Rule{Scope: "a.example/os@" + testDigest}, "a.example/os@" + testDigest, "the image asked for by this digest"},
	} {
		if c.rule.Name() != c.name || c.rule.Covers() != c.covers {
			t.Errorf("%+v: got %q, %q", c.rule, c.rule.Name(), c.rule.Covers())
		}
	}
}

func TestExplainBootPolicy(t *testing.T) {
	closed, open := defaultBootPolicy().Explain(), BootPolicy{1, 7, RuleRequired, RuleRequired, IdentityWaived, Allow{[]string{"quiet", "console=*"}, true, true, true, true, true, true}}.Explain()
	keys := map[string]bool{}
	for i, want := range []struct{ key, closed, open, closedWord, openWord string }{
		{"schema", "1", "1", "form", "form"},
		{"epoch", "0", "7", "no floor", "epoch of 7 or more"},
		{"expires", "optional", "required", "honoured", "does not count"},
		{"ref", "optional", "required", "may be served as another", "must be the reference asked for"},
		{"bundle-identity", "signed", "waived", "only with a signed ref", "ANY NAME"},
		{"allow.kargs", "none", "quiet, console=*", "no kernel argument", "that match"},
		{"allow.unsigned", "false", "true", "needs a signature", "without a signature"},
		{"allow.containers", "false", "true", "reserved", "reserved"},
		{"allow.wipe", "false", "true", "reserved", "reserved"},
		{"allow.insecure-registry", "false", "true", "reserved", "reserved"},
		{"allow.unsigned-extra-args", "false", "true", "reserved", "reserved"},
		{"allow.rescue", "false", "true", "reserved", "reserved"},
	} {
		keys[strings.TrimPrefix(want.key, "allow.")] = true
		for _, c := range []struct {
			got         Setting
			value, word string
		}{{closed[i], want.closed, want.closedWord}, {open[i], want.open, want.openWord}} {
			if c.got.Key != want.key || c.got.Value != c.value || !strings.Contains(c.got.Meaning, c.word) {
				t.Errorf("%s: expected %s, %q, got %+v", want.key, c.value, c.word, c.got)
			}
		}
	}
	for table, list := range bootPolicyKeys() {
		for _, key := range list {
			if !keys[key] && key != "allow" {
				t.Errorf("%s.%s is not explained", table, key)
			}
		}
	}
}
