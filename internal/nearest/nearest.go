// Package nearest finds the known word that an unknown one was meant to be.
package nearest

// maxDistance is how many edits a word may be away and still be named.
const maxDistance = 3

// Word returns the word of known with the fewest edits from word, or "" if
// none is near. Ties go to the earlier one.
func Word(word string, known []string) string {
	best, at := "", maxDistance+1
	for _, k := range known {
		if d := distance(word, k); d < at && d < len(k) {
			best, at = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}
