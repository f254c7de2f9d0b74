package order

import (
	"strings"
	"testing"
)

func TestNormalizeName(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		given, want string
		wrong       bool
	}{
		"name":                         {given: "first", want: "first"},
		"surrounding space is trimmed": {given: "  first ", want: "first"},
		"letters count, not bytes":     {given: strings.Repeat("é", MaxNameLength), want: strings.Repeat("é", MaxNameLength)},
		"empty name is rejected":       {given: "", wrong: true},
		"blank name is rejected":       {given: " \t", wrong: true},
		"NUL is rejected":              {given: "a\x00b", wrong: true},
		"a line break is rejected":     {given: "a\nb", wrong: true},
		"invalid UTF-8 is rejected":    {given: "a\xff", wrong: true},
		"one letter more is rejected":  {given: strings.Repeat("é", MaxNameLength+1), wrong: true},
		"blanks count, too":            {given: "first" + strings.Repeat(" ", MaxNameLength), wrong: true}, // a trimmed string keeps the memory of the whole
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := normalizeName(tc.given)
			if got != tc.want || (err != nil) != tc.wrong {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}
