package proof

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteText writes the report as a table for a terminal: each section with what
// holds in one line, and every failure in full. paint colours a word by status.
func (r Report) WriteText(w io.Writer, paint func(Status, string) string) error {
	p := printer{w: w}
	for _, section := range r.Sections() {
		proofs := r.Of(section)
		holds, foreign := 0, 0
		for _, one := range proofs {
			switch one.Status {
			case Holds:
				holds++
			case Foreign:
				foreign++
			}
		}
		status := Holds
		if holds+foreign < len(proofs) {
			status = Fails
		}
		p.printf("%-12s %s  %d of %d%s\n", section, paint(status, fmt.Sprintf("%-6s", status)), holds, len(proofs)-foreign, note(foreign))
		for _, one := range proofs {
			if one.Status != Holds {
				p.printf("  %s %s%s\n    %s\n", paint(one.Status, string(one.Status)), one.place(), one.Claim, strings.ReplaceAll(one.Detail, "\n", "\n    "))
			}
		}
	}
	p.drill(r)
	if n := r.Failures(); n > 0 {
		p.printf("%s: %s\n", r.Service, paint(Fails, fmt.Sprintf("%d of %d proofs fail", n, len(r.Proofs))))
	} else {
		p.printf("%s: %s in %.1f s\n", r.Service, paint(Holds, fmt.Sprintf("all %d proofs hold", len(r.Proofs))), r.Seconds)
	}
	return p.err
}

func note(foreign int) string {
	if foreign == 0 {
		return ""
	}
	return fmt.Sprintf(", %d not looked at", foreign)
}

// place is where a claim stands, before it.
func (p Proof) place() string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return p.File + ": "
	}
	return fmt.Sprintf("%s:%d: ", p.File, p.Line)
}

// drill writes the timetable of the alerts as far as they fire.
func (p *printer) drill(r Report) {
	if len(r.Drill) == 0 {
		return
	}
	p.printf("\n%-48s %7s %12s %12s %12s %12s\n", "alert", "bad", "fires after", "predicted", "resolves", "predicted")
	for _, row := range r.Drill {
		if row.Predicted.Fires || row.Measured.Fires {
			p.printf("%-48s %6.4g%% %12s %12s %12s %12s%s\n", row.Alert, row.ErrorShare*100,
				short(row.Measured, row.Measured.After), short(row.Predicted, row.Predicted.After),
				short(row.Measured, row.Measured.Resolves), short(row.Predicted, row.Predicted.Resolves), mark(row))
		}
	}
	if r.Cost != nil {
		p.printf("rules read %.1f samples a second for each objective; the limit is %.0f\n", r.Cost.PerObjective(), r.Cost.Limit)
	}
	p.printf("\n")
}

func mark(row Row) string {
	if row.Holds {
		return ""
	}
	return "  fails"
}

// short writes a moment for people.
func short(m Moment, seconds float64) string {
	if !m.Fires {
		return "never"
	}
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if d >= time.Hour {
		d = d.Round(time.Minute)
		return strings.TrimSuffix(d.String(), "0s")
	}
	return d.String()
}

// WriteMarkdown writes the report for a pull request.
func (r Report) WriteMarkdown(w io.Writer) error {
	p := printer{w: w}
	verdict := fmt.Sprintf("all %d proofs hold", len(r.Proofs))
	if n := r.Failures(); n > 0 {
		verdict = fmt.Sprintf("**%d of %d proofs fail**", n, len(r.Proofs))
	}
	p.printf("## %s: %s\n\n| section | holds | of |\n|---|---:|---:|\n", r.Service, verdict)
	for _, section := range r.Sections() {
		holds := 0
		for _, one := range r.Of(section) {
			if one.Status == Holds {
				holds++
			}
		}
		p.printf("| %s | %d | %d |\n", section, holds, len(r.Of(section)))
	}
	for _, one := range r.Proofs {
		if one.Status != Holds {
			p.printf("\n- %s: %s%s\n\n  ```text\n  %s\n  ```\n", one.Status, one.place(), cell(one.Claim), strings.ReplaceAll(one.Detail, "\n", "\n  "))
		}
	}
	if len(r.Drill) > 0 {
		p.printf("\n### When alerts fire\n\n| alert | bad events | fires after | predicted | resolves after | predicted | |\n|---|---:|---:|---:|---:|---:|---|\n")
		for _, row := range r.Drill {
			p.printf("| %s | %g %% | %s | %s | %s | %s | %s |\n", cell(row.Alert), row.ErrorShare*100,
				short(row.Measured, row.Measured.After), short(row.Predicted, row.Predicted.After),
				short(row.Measured, row.Measured.Resolves), short(row.Predicted, row.Predicted.Resolves), strings.TrimSpace(mark(row)))
		}
	}
	if r.Cost != nil {
		p.printf("\nRules read %.1f samples a second for each objective on %d counters; the limit is %.0f.\n", r.Cost.PerObjective(), r.Cost.Series, r.Cost.Limit)
	}
	return p.err
}

// cell keeps a text from ending its cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}

// printer remembers the first error of writing.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// The JUnit form, as pipelines read it.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     float64      `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML: a suite for each section.
func (r Report) WriteJUnit(w io.Writer) error {
	doc := junitSuites{Name: r.Service, Tests: len(r.Proofs), Failures: r.Failures(), Time: r.Seconds}
	for _, section := range r.Sections() {
		suite := junitSuite{Name: section}
		for _, p := range r.Of(section) {
			suite.add(p)
		}
		doc.Skipped += suite.Skipped
		doc.Suites = append(doc.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(p Proof) {
	c := junitCase{Name: cmp.Or(p.Claim, p.Section), Class: p.Section, File: p.File, Line: p.Line}
	s.Tests++
	switch {
	case p.Failed():
		s.Failures++
		c.Failure = &junitMessage{string(p.Status), p.Detail}
	case p.Status == Foreign:
		s.Skipped++
		c.Skipped = &junitMessage{Message: p.Detail}
	default:
		c.Output = p.Detail
	}
	s.Cases = append(s.Cases, c)
}
