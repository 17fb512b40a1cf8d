package kmod

import "strings"

// canonical makes names comparable: the kernel treats '-' and '_' as the same.
func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }

// canonicalPattern does so outside brackets, where '-' marks a range.
func canonicalPattern(pattern string) string {
	if !strings.Contains(pattern, "[") {
		return canonical(pattern)
	}
	b := []byte(pattern)
	for i := 0; i < len(b); i++ {
		if b[i] == '[' {
			if n := bracketLen(pattern[i:]); n > 0 {
				i += n - 1
				continue
			}
		}
		if b[i] == '-' {
			b[i] = '_'
		}
	}
	return string(b)
}

// literalPrefix returns what a pattern begins with before its first wildcard.
func literalPrefix(pattern string) string {
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

// glob reports whether name matches pattern as fnmatch(3) does without flags:
// '*' is any run of characters ('/' included), '?' any one, [...] one of a set
// ([!...] one outside it), and '\' takes the next character literally.
//
// Only the last '*' is ever tried again, so the time is at most the product of
// the two lengths.
func glob(pattern, name string) bool {
	var p, n int
	star, mark := -1, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, n
			p++
			continue
		}
		if step, ok := globOne(pattern[p:], name[n]); ok {
			p += step
			n++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, n = star+1, mark
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// globOne matches one character against the head of pattern and returns how
// many bytes of pattern it took.
func globOne(pattern string, c byte) (int, bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == c
		}
	case '[':
		if n := bracketLen(pattern); n > 0 {
			return n, inBracket(pattern[1:n-1], c)
		}
	}
	return 1, pattern[0] == c
}

// bracketLen returns the length of the bracket expression that pattern begins
// with, or 0 if it never closes and '[' stands for itself.
func bracketLen(pattern string) int {
	i := 1
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		i++
	}
	i++ // a ']' in the first place is a member
	for ; i < len(pattern); i++ {
		if pattern[i] == ']' {
			return i + 1
		}
	}
	return 0
}

// inBracket reports whether c is in the set written between the brackets.
func inBracket(set string, c byte) bool {
	negate := set[0] == '!' || set[0] == '^'
	if negate {
		set = set[1:]
	}
	found := false
	for i := 0; i < len(set); i++ {
		low, high := set[i], set[i]
		if i+2 < len(set) && set[i+1] == '-' {
			high = set[i+2]
			i += 2
		}
		if low <= c && c <= high {
			found = true
		}
	}
	return found != negate
}
