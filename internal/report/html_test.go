package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/report"
)

// samplePage has hostile text in every place of a page.
func samplePage() report.Page {
	drawing := report.Drawing{
		Title: nasty, Subtitle: nasty, Problems: []string{nasty},
		Light: []byte(`<svg><rect fill="#f4f5f5"/><rect fill="#73BF69"/></svg>`),
		Dark:  []byte(`<svg><rect fill="#111217"/><rect fill="#73BF69"/></svg>`),
	}
	return report.Page{
		States: []report.State{{Name: nasty, From: time.Unix(0, 0), To: time.Unix(3600, 0), Dashboards: []report.Drawing{drawing}}},
		Request: &report.Request{
			TraceID: "4bf92f35", Exemplar: nasty, Lines: []string{nasty}, Profile: &drawing,
			Spans: []report.Span{
				{Name: nasty, Duration: 200 * time.Millisecond, Attributes: []string{nasty}},
				{Name: "SELECT", Depth: 1, Start: 50 * time.Millisecond, Duration: 100 * time.Millisecond, Failed: true},
			},
		},
	}
}

func htmlOf(t *testing.T, r report.Report, page report.Page) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteHTML(&out, page); err != nil {
		t.Fatal(err)
	}
	wantHTML(t, out.String())
	return out.String()
}

// wantHTML wants elements that are closed, unique ids and no reference to another file.
func wantHTML(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	ids := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, forbidden := range []string{"script", "iframe", "object", "embed", "img", "image", "base", "form", "b"} {
			if element.Name.Local == forbidden {
				t.Errorf("the page has the element %s", forbidden)
			}
		}
		for _, a := range element.Attr {
			switch name := a.Name.Local; {
			case strings.HasPrefix(name, "on"), name == "src", name == "srcset":
				t.Errorf("%s has the attribute %s", element.Name.Local, name)
			case name == "href" && element.Name.Local != "a" && a.Value != "data:,":
				t.Errorf("%s refers to %s", element.Name.Local, a.Value)
			case name == "id" && ids[a.Value]:
				t.Errorf("the id %s is not unique", a.Value)
			case name == "id":
				ids[a.Value] = true
			}
		}
	}
	if found := regexp.MustCompile(`@import|url\([^#)]`).FindString(text); found != "" {
		t.Errorf("the styles have %s", found)
	}
	for _, r := range html.UnescapeString(text) {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == '\u202e' {
			t.Errorf("the page has %q", r)
		}
	}
}

func TestHTMLHasTheResultOfEachSection(t *testing.T) {
	t.Parallel()
	got := htmlOf(t, sample(), samplePage())
	for what, want := range map[string]string{
		"the summary":                   `<span class="failed">3 of 7 checks failed</span>`,
		"a failed check is open":        `<details open><summary><span class="status failed">failed</span> observability/dashboards/orders.json:120: panel Requests, target A</summary>`,
		"a check that did not run":      `<span class="status failed">not run</span> a b.yaml: runbook of the alert OrdersDown`,
		"passed checks are folded":      `<details><summary><span class="status passed">passed</span> 1</summary>`,
		"a skipped check":               `verify does not run queries of mysql`,
		"a time with the predicted one": `<td>9m23s (8m38s)</td>`,
		"a time that differs":           `<td class="failed">never, not 4m56s</td>`,
		"the cost":                      `The rules of one objective read 163.7 samples per second`,
		"the time range of a state":     `1970-01-01 00:00:00 to 1970-01-01 01:00:00`,
		"the place of a span":           `style="margin-left:25%;width:50%"`,
		"a failed span":                 `class="bar failed"`,
		"the trace":                     `<code>4bf92f35</code>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s: no %s in\n%s", what, want, got)
		}
	}
	if strings.Count(got, "&lt;b&gt;") < 9 {
		t.Errorf("the page does not show quoted markup as text:\n%s", got)
	}
	if failed, passed := strings.Index(got, "panel Requests, target A"), strings.Index(got, "panel Errors, target A"); failed > passed {
		t.Error("passed checks come before failed ones")
	}
}

// Both themes have the same elements, so that only their colors are there twice.
func TestHTMLHasOneDrawingForBothThemes(t *testing.T) {
	t.Parallel()
	page := samplePage()
	got := htmlOf(t, sample(), page)
	for _, want := range []string{`--c0:#f4f5f5;}`, `--c0:#111217;}`, `<rect fill="var(--c0)"/><rect fill="#73BF69"/>`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	page.States[0].Dashboards[0].Dark = []byte(`<svg><g/></svg>`)
	if got := htmlOf(t, sample(), page); !strings.Contains(got, `<div class="light"><svg>`) || !strings.Contains(got, `<div class="dark"><svg><g/></svg></div>`) {
		t.Errorf("a drawing with other elements is not there twice:\n%s", got)
	}
}

func TestHTMLWithoutDataSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]report.Report{"selected": selected(), "interrupted": interrupted(), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := htmlOf(t, r, report.Page{})
			for _, want := range []string{"None is drawn", "No alert was simulated", "No request of this run"} {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
		})
	}
}

func TestHTMLStaysBelowThreeMegabytes(t *testing.T) {
	t.Parallel()
	page := samplePage()
	one := page.States[0].Dashboards[0]
	one.Light = bytes.Repeat([]byte("<p>1</p>"), 100_000)
	one.Dark = one.Light
	for range 5 {
		page.States[0].Dashboards = append(page.States[0].Dashboards, one)
	}
	got := htmlOf(t, sample(), page)
	if len(got) > 3_000_000 || strings.Count(got, "It is not drawn") != 2 {
		t.Errorf("%d bytes, %d dashboards are not drawn", len(got), strings.Count(got, "It is not drawn"))
	}
}
