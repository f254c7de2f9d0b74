package diagnostic

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxKnown limits the words that are compared. A page of metrics may have millions.
const maxKnown = 20_000

// Suggest returns the known word that is nearest to the given one, the first of equally near ones.
// It returns "" if none differs in at most a third of the letters and at most three, ignoring case,
// or if more than 20,000 words are known.
func Suggest(word string, known []string) string {
	if len(known) > maxKnown {
		return ""
	}
	letters := []rune(strings.ToLower(word))
	limit := min(3, max(1, len(letters)/3))
	best := ""
	for _, k := range known {
		// A key may be as long as a file, so compare lengths first.
		if other := utf8.RuneCountInString(k); other-len(letters) > limit || len(letters)-other > limit {
			continue
		}
		if d := distance(letters, []rune(strings.ToLower(k)), limit); d <= limit {
			best, limit = k, d-1
		}
	}
	return best
}

// DidYouMean returns `; did you mean "x"?`, or "" if no known word is near.
func DidYouMean(word string, known []string) string {
	if s := Suggest(word, known); s != "" {
		return `; did you mean "` + s + `"?`
	}
	return ""
}

// NearestMetric is DidYouMean for names of metrics. It also suggests milliseconds for seconds and
// vice versa, and lists metrics with the name as a prefix, as of a missing unit.
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

// distance returns the number of insertions, deletions, substitutions and swaps of neighbors that
// change x into y (optimal string alignment), or limit+1 if it is greater than limit.
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
		// A swap uses the row before the last and adds one.
		if slices.Min(row) > limit && slices.Min(last) >= limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
