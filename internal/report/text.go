package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteText writes the report for a terminal: each section in one line, every
// failure in full, and when alerts fire. paint colours a word by status.
func (r Report) WriteText(w io.Writer, paint func(Status, string) string) error {
	p := printer{w: w}
	for _, section := range r.Sections() {
		t := r.tally(section)
		if t.status() == Skipped {
			p.printf("%-12s %s  %s\n", oneLine(section), paint(Skipped, string(Skipped)), oneLine(r.Of(section)[0].Detail))
			continue
		}
		note := ""
		if t.foreign > 0 {
			note = fmt.Sprintf(", %d not looked at", t.foreign)
		}
		if t.skipped > 0 {
			note += fmt.Sprintf(", %d skipped", t.skipped)
		}
		count := t.holds
		if t.status() == Fails {
			count = t.looked() - t.holds
		}
		p.printf("%-12s %s  %3d of %d%s\n", oneLine(section), paint(t.status(), fmt.Sprintf("%-7s", t.status())), count, t.looked(), note)
	}
	for _, wants := range []func(Proof) bool{foreign, r.skippedAlone, Proof.Failed} { // what matters stands last
		for _, section := range r.Sections() {
			for _, one := range r.Of(section) {
				if wants(one) {
					p.textProof(one, paint)
				}
			}
		}
	}
	p.textTimetable(r)
	if r.Cost != nil {
		p.printf("\nRules read %.1f samples a second for each objective on %d counters; the limit is %.0f.\n", r.Cost.PerObjective(), r.Cost.Series, r.Cost.Limit)
	}
	status := Holds
	if r.Failures() > 0 {
		status = Fails
	}
	p.printf("\n%s: %s in %.1f s\n", oneLine(r.Service), paint(status, r.verdict()), r.Seconds)
	return p.err
}

// textProof writes a proof that does not hold: where, what, and the detail below.
func (p *printer) textProof(one Proof, paint func(Status, string) string) {
	where := one.place()
	if where != "" {
		where += ": "
	}
	p.printf("\n%s %s%s\n", paint(one.Status, oneLine(string(one.Status))), where, oneLine(cmp.Or(one.Claim, one.Section)))
	for line := range strings.SplitSeq(strings.TrimRight(plain(one.Detail), "\n"), "\n") {
		p.printf("%s\n", strings.TrimRight("    "+line, " "))
	}
}

// textTimetable writes when alerts fire and resolve, a column for each share of
// bad events.
func (p *printer) textTimetable(r Report) {
	t := r.timetable()
	if len(t.alerts) == 0 {
		return
	}
	for _, half := range []struct{ what, title string }{{fires, "fires after"}, {resolves, "resolves after"}} {
		rows := [][]string{{half.title}}
		for _, share := range t.shares {
			rows[0] = append(rows[0], percent(share))
		}
		for _, alert := range t.alerts {
			row := []string{oneLine(alert)}
			for _, share := range t.shares {
				row = append(row, t.cell(half.what, alert, share, false))
			}
			rows = append(rows, row)
		}
		p.printf("\n")
		p.columns(rows)
	}
	p.printf("\nColumns are shares of bad events; - is silence. Alerts in time come within %.2f evaluations of what was predicted.\n", r.farthest())
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
