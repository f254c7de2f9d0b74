package diagnostic

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxKnown bounds the words that are compared: a page of metrics may have millions.
const maxKnown = 20_000

// Suggest returns the known word nearest to the given one, or "" when none is
// near enough to be what the author meant, or more than 20,000 are known.
//
// Near enough is at most a third of the word's letters changed, and never more
// than three: beyond that a suggestion is noise. Upper and lower case are alike.
// Of words equally near, the first wins.
func Suggest(word string, known []string) string {
	if len(known) > maxKnown {
		return ""
	}
	letters := []rune(strings.ToLower(word))
	limit := min(3, max(1, len(letters)/3))
	best := ""
	for _, k := range known {
		// Lengths too far apart need no table: a key may be a whole file long.
		if other := utf8.RuneCountInString(k); other-len(letters) > limit || len(letters)-other > limit {
			continue
		}
		if d := distance(letters, []rune(strings.ToLower(k)), limit); d <= limit {
			best, limit = k, d-1
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

// NearestMetric is DidYouMean for the name of a metric, also in milliseconds instead of seconds or
// the reverse. Where no name is near, it lists those that go on where this one ends, as with a forgotten unit.
func NearestMetric(name string, known []string) string {
	if meant := DidYouMean(name, known); meant != "" {
		return meant
	}
	const seconds, milliseconds = "_seconds", "_milliseconds"
	for _, inUnit := range []string{strings.Replace(name, seconds, milliseconds, 1), strings.Replace(name, milliseconds, seconds, 1)} {
		if inUnit != name && slices.Contains(known, inUnit) {
			return `; did you mean "` + inUnit + `"?`
		}
	}
	var longer []string
	for _, k := range known {
		if strings.HasPrefix(k, name+"_") {
			longer = append(longer, k)
		}
	}
	slices.Sort(longer)
	const most = 6
	longer = slices.Compact(longer)
	switch {
	case len(longer) == 0:
		return ""
	case len(longer) > most:
		return "; metrics with this prefix: " + strings.Join(longer[:most], ", ") + ", …"
	}
	return "; metrics with this prefix: " + strings.Join(longer, ", ")
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn x into y (optimal string alignment). It stops counting at
// more than limit.
func distance(x, y []rune, limit int) int {
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		// A swap reaches back two rows and adds one.
		if slices.Min(row) > limit && slices.Min(last) >= limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
