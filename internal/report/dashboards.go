package report

import "fmt"

// Kind is what a check of dashboards is about. The values are part of the JSON form.
type Kind string

// Kinds of checks.
const (
	// Query is a check that a query of a dashboard has data. One that may be empty has no kind.
	Query Kind = "query"
	// Answer is a check that a dashboard shows what is true.
	Answer Kind = "answer"
)

// Dashboards counts what was checked on dashboards.
type Dashboards struct {
	Summary         string `json:"summary"`
	Queries         int    `json:"queries"`
	QueriesWithData int    `json:"queriesWithData"`
	Answers         int    `json:"answers"`
	AnswersRight    int    `json:"answersRight"`
}

// dashboards counts the checks with a kind; nil without one.
func dashboards(checks []Check) *Dashboards {
	var d Dashboards
	for _, c := range checks {
		passed := 0
		if c.Status == Passed {
			passed = 1
		}
		switch {
		case c.Status == Skipped:
		case c.Kind == Query:
			d.Queries, d.QueriesWithData = d.Queries+1, d.QueriesWithData+passed
		case c.Kind == Answer:
			d.Answers, d.AnswersRight = d.Answers+1, d.AnswersRight+passed
		}
	}
	if d.Queries+d.Answers == 0 {
		return nil
	}
	d.Summary = "dashboards: " + part(d.QueriesWithData, d.Queries, "query has", "queries have") + " data"
	if d.Answers > 0 { // dashboards of other origin have none
		d.Summary += ", " + part(d.AnswersRight, d.Answers, "answer is", "answers are") + " right"
	}
	return &d
}

// part is a number of things, and of how many if these are more.
func part(n, all int, one, many string) string {
	switch {
	case n != all:
		return fmt.Sprintf("%d of %d %s", n, all, many)
	case n == 1:
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
