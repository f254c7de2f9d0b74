package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the report for a pull request: failed checks first, the
// timetable of the alerts folded.
func (r Report) WriteMarkdown(w io.Writer) error {
	p := printer{w: w}
	p.printf("## %s: %s\n\n| section | result | passed | of | skipped |\n|---|---|---:|---:|---:|\n", prose(r.Service), r.summary())
	for _, section := range r.Sections() {
		t := r.tally(section)
		p.printf("| %s | %s | %d | %d | %d |\n", prose(section), t.status(), t.passed, t.ran(), t.skipped)
	}
	if r.Dashboards != nil {
		p.printf("\n%s.\n", sentence(r.Dashboards.Summary))
	}
	p.markdownChecks(r, "Failed", Check.Failed)
	p.markdownChecks(r, "Skipped", r.skippedAlone)
	p.markdownTimetable(r)
	p.cost(r.Cost)
	p.printf("\n`scaffold verify` ran for %.1f s.\n", r.Seconds)
	return p.err
}

// markdownChecks writes the wanted checks below a title; nothing if there are none.
func (p *printer) markdownChecks(r Report, title string, wanted func(Check) bool) {
	first := true
	for _, c := range r.Checks {
		if !wanted(c) {
			continue
		}
		if first {
			p.printf("\n### %s\n", title)
		}
		first = false
		p.markdownCheck(c)
	}
}

// markdownCheck is an item of a list: place and name, then the detail as it is.
func (p *printer) markdownCheck(c Check) {
	where := c.place()
	if where != "" {
		where = code(where) + ": "
	}
	detail := strings.TrimRight(plain(c.Detail), "\n")
	fence := strings.Repeat("`", max(3, longestRun(detail)+1))
	p.printf("\n- %s: %s%s\n\n  %stext\n", oneLine(string(c.Status)), where, code(cmp.Or(oneLine(c.Name), oneLine(c.Section))), fence)
	for line := range strings.SplitSeq(detail, "\n") {
		p.printf("%s\n", strings.TrimRight("  "+line, " \t"))
	}
	p.printf("  %s\n", fence)
}

func (p *printer) markdownTimetable(r Report) {
	t := r.timetable()
	if len(t.alerts) == 0 {
		return
	}
	p.printf("\n<details>\n<summary>When alerts fire and resolve (predicted)</summary>\n")
	for _, half := range []struct{ what, title string }{{fires, "fires after"}, {resolves, "resolves after"}} {
		head, rule := "| "+half.title+" |", "|---|"
		for _, ratio := range t.ratios {
			head, rule = head+" "+percent(ratio)+" |", rule+"---:|"
		}
		p.printf("\n%s\n%s\n", head, rule)
		for _, alert := range t.alerts {
			p.printf("| %s |", prose(alert))
			for _, ratio := range t.ratios {
				text, _ := t.cell(half.what, alert, ratio, true)
				p.printf(" %s |", text)
			}
			p.printf("\n")
		}
	}
	p.printf("\nColumns are error ratios; - means that the alert does not fire.\n\n</details>\n")
}

// prose escapes text for Markdown, in table cells too: characters of markup,
// mentions and issue references become entities.
func prose(text string) string {
	var b strings.Builder
	for _, r := range oneLine(text) {
		if strings.ContainsRune("|\\*_`<>[]&~#@!", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// code is text as a code span; the text may contain backticks.
func code(text string) string {
	fence := strings.Repeat("`", longestRun(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// longestRun is the length of the longest run of backticks.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		run++
		if r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}
