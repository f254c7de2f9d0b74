package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the report for a pull request: what fails first, the
// timetable of the alerts folded away while it holds.
func (r Report) WriteMarkdown(w io.Writer) error {
	p := printer{w: w}
	p.printf("## %s: %s\n\n| section | | holds | of | not looked at |\n|---|---|---:|---:|---:|\n", prose(r.Service), r.verdict())
	for _, section := range r.Sections() {
		t := r.tally(section)
		p.printf("| %s | %s | %d | %d | %d |\n", prose(section), t.status(), t.holds, t.looked(), t.foreign+t.skipped)
	}
	for _, part := range []struct {
		title string
		wants func(Proof) bool
	}{
		{"What fails", Proof.Failed},
		{"What was not looked at", foreign},
		{"Skipped", r.skippedAlone},
	} {
		first := true
		for _, one := range r.Proofs {
			if !part.wants(one) {
				continue
			}
			if first {
				p.printf("\n### %s\n", part.title)
			}
			first = false
			p.markdownProof(one)
		}
	}
	p.markdownTimetable(r)
	if r.Cost != nil {
		p.printf("\nRules read %.1f samples a second for each objective on %d counters; the limit is %.0f.\n", r.Cost.PerObjective(), r.Cost.Series, r.Cost.Limit)
	}
	p.printf("\nProven in %.1f s by `scaffold verify`.\n", r.Seconds)
	return p.err
}

// markdownProof is an item of a list: place and claim, then the detail as it is.
func (p *printer) markdownProof(one Proof) {
	where := one.place()
	if where != "" {
		where = code(where) + ": "
	}
	detail := strings.TrimRight(plain(one.Detail), "\n")
	fence := strings.Repeat("`", max(3, longestRun(detail)+1))
	p.printf("\n- %s: %s%s\n\n  %stext\n", oneLine(string(one.Status)), where, code(cmp.Or(oneLine(one.Claim), oneLine(one.Section))), fence)
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
		for _, share := range t.shares {
			head, rule = head+" "+percent(share)+" |", rule+"---:|"
		}
		p.printf("\n%s\n%s\n", head, rule)
		for _, alert := range t.alerts {
			p.printf("| %s |", prose(alert))
			for _, share := range t.shares {
				p.printf(" %s |", t.cell(half.what, alert, share, true))
			}
			p.printf("\n")
		}
	}
	p.printf("\nColumns are shares of bad events; - is silence.\n\n</details>\n")
}

// prose is text that means nothing else in Markdown, in a cell or outside: what
// could be markup, a mention or an issue is written as an entity.
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

// code is text as a code span, whatever backticks it holds.
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
