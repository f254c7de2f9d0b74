package report

import (
	"cmp"
	"encoding/xml"
	"io"
	"strings"
)

// The elements of JUnit XML.
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

// junitMessage has one line for lists of tests, and the whole text.
type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML, a suite for each section.
func (r Report) WriteJUnit(w io.Writer) error {
	doc := junitSuites{Name: oneLine(r.Service), Tests: len(r.Checks), Failures: r.Failures(), Time: r.Seconds}
	for _, section := range r.Sections() {
		suite := junitSuite{Name: oneLine(section)}
		for _, c := range r.Of(section) {
			suite.add(c)
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

func (s *junitSuite) add(check Check) {
	c := junitCase{Name: oneLine(cmp.Or(check.Name, check.Section)), Class: s.Name, File: oneLine(check.File), Line: check.Line}
	detail := plain(check.Detail)
	head, _, _ := strings.Cut(detail, "\n")
	s.Tests++
	switch {
	case check.Failed():
		s.Failures++
		if where := check.place(); where != "" {
			detail = where + ": " + detail
		}
		c.Failure = &junitMessage{string(check.Status) + ": " + head, detail}
	case check.Status == Skipped:
		s.Skipped++
		c.Skipped = &junitMessage{Message: head}
	default:
		c.Output = detail
	}
	s.Cases = append(s.Cases, c)
}
