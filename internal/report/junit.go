package report

import (
	"cmp"
	"encoding/xml"
	"io"
	"strings"
)

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

// junitMessage holds one line for lists of tests, and the whole text.
type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML: a suite for each section.
func (r Report) WriteJUnit(w io.Writer) error {
	doc := junitSuites{Name: oneLine(r.Service), Tests: len(r.Proofs), Failures: r.Failures(), Time: r.Seconds}
	for _, section := range r.Sections() {
		suite := junitSuite{Name: oneLine(section)}
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
	c := junitCase{Name: oneLine(cmp.Or(p.Claim, p.Section)), Class: s.Name, File: oneLine(p.File), Line: p.Line}
	detail := plain(p.Detail)
	head, _, _ := strings.Cut(detail, "\n")
	s.Tests++
	switch {
	case p.Failed():
		s.Failures++
		if where := p.place(); where != "" {
			detail = where + ": " + detail
		}
		c.Failure = &junitMessage{string(p.Status) + ": " + head, detail}
	case p.Status == Foreign, p.Status == Skipped:
		s.Skipped++
		c.Skipped = &junitMessage{Message: head}
	default:
		c.Output = detail
	}
	s.Cases = append(s.Cases, c)
}
