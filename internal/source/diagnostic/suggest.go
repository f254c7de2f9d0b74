package diagnostic

import (
	"strings"
	"unicode/utf8"
)

// Suggest returns the known word nearest to the given one, or "" when none is
// near enough to be what the author meant.
//
// Near enough is at most a third of the word's letters changed, and never more
// than three: beyond that a suggestion is noise. Upper and lower case are alike.
// Of words equally near, the first wins.
func Suggest(word string, known []string) string {
	length := utf8.RuneCountInString(word)
	limit := min(3, max(1, length/3))
	best, bestDistance := "", limit+1
	for _, k := range known {
		// Lengths too far apart need no table: a key may be a whole file long.
		if other := utf8.RuneCountInString(k); other-length > limit || length-other > limit {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// DidYouMean returns `; did you mean "x"?`, or "" when no known word is near.
func DidYouMean(word string, known []string) string {
	if s := Suggest(word, known); s != "" {
		return `; did you mean "` + s + `"?`
	}
	return ""
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
