package promql_test

import (
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/source/promql"
)

func TestQueriesAreLimited(t *testing.T) {
	t.Parallel()
	const long, deep = "the query has ", "the query is nested deeper than 100 levels and is too deep to check; split it into recording rules"
	nested := func(opening, closing string, n int) string {
		return strings.Repeat(opening, n) + "up" + strings.Repeat(closing, n)
	}
	for name, c := range map[string]struct{ query, want string }{
		"100 brackets are accepted":            {nested("(", ")", 100), ""},
		"101 brackets are rejected":            {nested("(", ")", 101), deep},
		"brackets that stay open are rejected": {nested("(", "", 8000), deep},
		"101 signs are rejected":               {nested("-", "", 101), deep},
		"signs and spaces are rejected":        {nested("+ - ", "", 51), deep},
		"signs between comments are rejected":  {nested("-#\n", "", 101), deep},
		"signs between brackets are rejected":  {nested("-(", ")", 101), deep},
		"calls are rejected":                   {nested("abs(", ")", 101), deep},
		"brackets in a text are accepted":      {`up{a="` + strings.Repeat("(", 200) + `"}`, ""},
		"brackets in a comment are accepted":   {"up # " + strings.Repeat("(", 200), ""},
		"a wide query is accepted":             {strings.Repeat("-up + ", 1000) + "up", ""},
		"16 KiB are accepted":                  {"up" + strings.Repeat(" ", 16<<10-2), ""},
		"more than 16 KiB are rejected":        {"up" + strings.Repeat(" ", 16<<10-1), long},
	} {
		_, err := promql.Parse(c.query)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// Servers accept such names only with a flag.
func TestUnquotedNames(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]struct{ parses, unquoted bool }{
		`http.server.requests > 5`:       {true, true},
		`sum by (http.route) (größe)`:    {true, true},
		`a + fill(0) b.c`:                {true, true},
		`{"http.server.requests"} > 5.5`: {true, false},
		`up{job="größe"} > 0.5`:          {true, false},
		`a + fill(0) b`:                  {true, false},
		`http.server.requests{`:          {false, false},
		`up.`:                            {true, true},
		strings.Repeat("(", 101) + "a.b" + strings.Repeat(")", 101): {false, false},
		"a.b + " + strings.Repeat("(", 8000):                        {false, false},
	} {
		if _, err := promql.Parse(query); (err == nil) != want.parses || promql.IsUnquoted(query) != want.unquoted {
			t.Errorf("%.40s: %v, unquoted %v", query, err, promql.IsUnquoted(query))
		}
	}
}
