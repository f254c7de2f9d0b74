package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Page is what the HTML report shows besides the report.
type Page struct {
	States  []State  // of the service, in the order of the run; empty without dashboards
	Request *Request // that is in all signals; nil without one
}

// State is a time range of the run, with the dashboards of that time.
type State struct {
	Name       string // such as "Healthy"
	From, To   time.Time
	Dashboards []Drawing
}

// Drawing is a picture as elements of HTML, in a light and a dark theme. Its ids are unique in the page.
type Drawing struct {
	Title, Subtitle string
	Light, Dark     []byte
	Problems        []string // what is missing in the picture
}

// Request is one request in all signals.
type Request struct {
	TraceID  string
	Exemplar string // series and value
	Spans    []Span // of its trace, each after its parent
	Lines    []string
	Profile  *Drawing // flame graph
}

// Span is a part of a trace.
type Span struct {
	Name            string
	Depth           int
	Start, Duration time.Duration // since the start of the trace
	Failed          bool
	Attributes      []string
}

// maxDrawings is the size of all drawings of a page. Services with many dashboards of their own exceed it.
const maxDrawings = 2_500_000

//go:embed report.html.tmpl
var pageTemplate string

// WriteHTML writes the report as one HTML file, without scripts and references to other files.
func (r Report) WriteHTML(w io.Writer, page Page) error {
	c := &colors{numbers: map[[2]string]int{}}
	size := 0
	t, err := template.New("report").Funcs(template.FuncMap{
		"line": oneLine, "plain": plain, "place": Check.place, "percent": percent, "title": sentence, "anchor": anchor,
		"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"draw": func(d Drawing) template.HTML {
			drawn := c.themed(string(d.Light), string(d.Dark))
			if size+len(drawn) > maxDrawings {
				return "<p>It is not drawn: the report would be larger than 3 MB. Draw it with <code>scaffold verify --snapshot FILE</code> and <code>scaffold dashboards render --snapshot FILE</code>.</p>"
			}
			size += len(drawn)
			return template.HTML(drawn) //nolint:gosec // package render escapes texts
		},
	}).Parse(pageTemplate)
	if err != nil {
		return err
	}
	var body strings.Builder // first, since it decides the colors
	view := htmlView{Report: r, Page: page}
	if err := t.ExecuteTemplate(&body, "body", view); err != nil {
		return err
	}
	view.Body = template.HTML(body.String()) //nolint:gosec // of the template
	view.Light, view.Dark = c.declarations(0), c.declarations(1)
	return t.ExecuteTemplate(w, "page", view)
}

// colors are pairs of a color of the light theme and one of the dark theme.
type colors struct {
	numbers map[[2]string]int
	pairs   [][2]string
}

// colorAttribute matches the value of an attribute that is a color. Texts have no quotes.
var colorAttribute = regexp.MustCompile(`"(?:#[0-9a-fA-F]{3,8}|rgba?\([0-9., ]*\))"`)

// themed returns one drawing with variables for the colors that differ, or both if something else differs.
func (c *colors) themed(light, dark string) string {
	if colorAttribute.ReplaceAllString(light, "") != colorAttribute.ReplaceAllString(dark, "") {
		return `<div class="light">` + light + `</div><div class="dark">` + dark + `</div>`
	}
	darks := colorAttribute.FindAllString(dark, -1)
	return colorAttribute.ReplaceAllStringFunc(light, func(color string) string {
		pair := [2]string{strings.Trim(color, `"`), strings.Trim(darks[0], `"`)}
		darks = darks[1:]
		if pair[0] == pair[1] {
			return color
		}
		n, known := c.numbers[pair]
		if !known {
			n = len(c.pairs)
			c.numbers[pair], c.pairs = n, append(c.pairs, pair)
		}
		return fmt.Sprintf(`"var(--c%d)"`, n)
	})
}

// declarations sets the variables to the colors of one theme.
func (c *colors) declarations(theme int) template.CSS {
	var b strings.Builder
	for n, pair := range c.pairs {
		fmt.Fprintf(&b, "--c%d:%s;", n, pair[theme])
	}
	return template.CSS(b.String()) //nolint:gosec // colorAttribute matches only colors
}

// htmlView is the data of the template.
type htmlView struct {
	Report
	Page
	Body        template.HTML
	Light, Dark template.CSS
}

// Summary is the report in one clause.
func (v htmlView) Summary() string { return v.summary() }

// Status is that of the whole run.
func (v htmlView) Status() Status {
	if v.Failures() > 0 {
		return Failed
	}
	return Passed
}

// htmlSection is a section with its checks, the failed ones first.
type htmlSection struct {
	Name                    string
	Status                  Status
	Ran, Passes             int
	Failed, Skipped, Passed []Check
}

// Results returns the sections.
func (v htmlView) Results() []htmlSection {
	var out []htmlSection
	for _, name := range v.Sections() {
		t := v.tally(name)
		s := htmlSection{Name: name, Status: t.status(), Ran: t.ran(), Passes: t.passed}
		for _, c := range v.Of(name) {
			c.Name = cmp.Or(c.Name, c.Section)
			switch {
			case c.Failed():
				s.Failed = append(s.Failed, c)
			case c.Status == Skipped:
				s.Skipped = append(s.Skipped, c)
			default:
				s.Passed = append(s.Passed, c)
			}
		}
		out = append(out, s)
	}
	return out
}

// htmlTimes is one half of the timetable.
type htmlTimes struct {
	Title  string
	Ratios []float64
	Rows   []htmlTimesRow
}

type htmlTimesRow struct {
	Alert string
	Cells []htmlTime
}

// htmlTime is a time with the predicted one.
type htmlTime struct {
	Text   string
	Failed bool
}

// Timetable returns when alerts fire and resolve.
func (v htmlView) Timetable() []htmlTimes {
	t := v.timetable()
	if len(t.alerts) == 0 {
		return nil
	}
	var out []htmlTimes
	for _, half := range []struct{ what, title string }{{fires, "Fires after"}, {resolves, "Resolves after"}} {
		times := htmlTimes{Title: half.title, Ratios: t.ratios}
		for _, alert := range t.alerts {
			row := htmlTimesRow{Alert: alert}
			for _, ratio := range t.ratios {
				text, failed := t.cell(half.what, alert, ratio, true)
				row.Cells = append(row.Cells, htmlTime{text, failed})
			}
			times.Rows = append(times.Rows, row)
		}
		out = append(out, times)
	}
	return out
}

// Difference is the largest difference from a prediction, in evaluation intervals.
func (v htmlView) Difference() string { return fmt.Sprintf("%.2f", v.largestDifference()) }

// CostText is what the rules read; empty if that was not measured.
func (v htmlView) CostText() string {
	var b strings.Builder
	(&printer{w: &b}).cost(v.Cost)
	return strings.TrimSpace(b.String())
}

// Left and Width are the place of a span in the waterfall of its trace, in percent.
func (r Request) Left(s Span) float64 { return r.percent(s.Start) }

// Width of a span; a short one is still visible.
func (r Request) Width(s Span) float64 {
	return max(min(r.percent(s.Duration), 100-r.Left(s)), 0.4)
}

func (r Request) percent(d time.Duration) float64 {
	end := time.Duration(1)
	for _, s := range r.Spans {
		end = max(end, s.Start+s.Duration)
	}
	return min(max(100*float64(d)/float64(end), 0), 99.6)
}

// sentence is text that starts with an upper-case letter.
func sentence(text string) string {
	text = oneLine(text)
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// anchor is the id of a heading.
func anchor(text string) string {
	letters := slices.DeleteFunc([]rune(strings.ReplaceAll(strings.ToLower(text), " ", "-")), func(r rune) bool {
		return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return string(letters)
}
