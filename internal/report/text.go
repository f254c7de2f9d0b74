package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// sectionWidth is the length of the longest section, "alert simulation".
const sectionWidth = 16

// WriteText writes the report for a terminal: a line for each section, skipped
// and failed checks in full, and when alerts fire. paint colors a word by status.
func (r Report) WriteText(w io.Writer, paint func(Status, string) string) error {
	p := printer{w: w}
	for _, section := range r.Sections() {
		p.textSection(r, section, paint)
	}
	for _, wanted := range []func(Check) bool{r.skippedAlone, Check.Failed} { // failures last, above the prompt
		for _, section := range r.Sections() {
			for _, c := range r.Of(section) {
				if wanted(c) {
					p.textCheck(c, paint)
				}
			}
		}
	}
	p.textTimetable(r)
	p.cost(r.Cost)
	status := Passed
	if r.Failures() > 0 {
		status = Failed
	}
	p.printf("\n")
	if r.Dashboards != nil {
		p.printf("%s\n", r.Dashboards.Summary)
	}
	p.printf("%s: %s in %.1f s\n", oneLine(r.Service), paint(status, r.summary()), r.Seconds)
	return p.err
}

func (p *printer) textSection(r Report, section string, paint func(Status, string) string) {
	if r.skipsWhole(section) {
		p.printf("%-*s %s  %s\n", sectionWidth, oneLine(section), paint(Skipped, string(Skipped)), oneLine(r.Of(section)[0].Detail))
		return
	}
	t := r.tally(section)
	count, note := t.passed, ""
	if t.failed > 0 {
		count = t.failed + t.notRun
	}
	if t.skipped > 0 {
		note = fmt.Sprintf(", %d skipped", t.skipped)
	}
	p.printf("%-*s %s  %3d of %d%s\n", sectionWidth, oneLine(section), paint(t.status(), fmt.Sprintf("%-7s", t.status())), count, t.ran(), note)
}

// cost writes what the rules read.
func (p *printer) cost(c *Cost) {
	if c != nil {
		p.printf("\nThe rules of one objective read %.1f samples per second, of %d counter series; the limit is %.0f (--max-cost).\n", c.PerObjective(), c.Series, c.Limit)
	}
}

// textCheck writes a check in full: place and name, and its detail below.
func (p *printer) textCheck(c Check, paint func(Status, string) string) {
	where := c.place()
	if where != "" {
		where += ": "
	}
	p.printf("\n%s %s%s\n", paint(c.Status, oneLine(string(c.Status))), where, oneLine(cmp.Or(c.Name, c.Section)))
	for line := range strings.SplitSeq(strings.TrimRight(plain(c.Detail), "\n"), "\n") {
		p.printf("%s\n", strings.TrimRight("    "+line, " "))
	}
}

// textTimetable writes when alerts fire and resolve, a column for each error
// ratio.
func (p *printer) textTimetable(r Report) {
	t := r.timetable()
	if len(t.alerts) == 0 {
		return
	}
	for _, half := range []struct{ what, title string }{{fires, "fires after"}, {resolves, "resolves after"}} {
		rows := [][]string{{half.title}}
		for _, ratio := range t.ratios {
			rows[0] = append(rows[0], percent(ratio))
		}
		for _, alert := range t.alerts {
			row := []string{oneLine(alert)}
			for _, ratio := range t.ratios {
				text, _ := t.cell(half.what, alert, ratio, false)
				row = append(row, text)
			}
			rows = append(rows, row)
		}
		p.printf("\n")
		p.columns(rows)
	}
	p.printf("\nColumns are error ratios; - means that the alert does not fire. Alerts that passed fired and resolved at most %.2f evaluation intervals from the predicted time.\n", r.largestDifference())
}

// columns aligns cells: the first column to the left, the others to the right.
func (p *printer) columns(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		cells := []string{fmt.Sprintf("%-*s", widths[0], row[0])}
		for i, cell := range row[1:] {
			cells = append(cells, fmt.Sprintf("%*s", max(widths[i+1], 6), cell))
		}
		p.printf("%s\n", strings.TrimRight(strings.Join(cells, "  "), " "))
	}
}
