// Package exposition reads metrics from pages that Prometheus scrapes and from a Prometheus, to
// check rules and dashboards of services that do not declare their metrics.
package exposition

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Page is the metrics of one or more pages, sorted by name.
type Page struct{ Metrics []Metric }

// Metric is a metric of a page.
type Metric struct {
	declared.Metric

	// Values has the values by label. Labels with many values are missing.
	Values map[string][]string
	// NoSeries means that the page declares the metric, but has no series of it. Its labels and
	// bounds are unknown.
	NoSeries bool
	// Spellings are the texts of Bounds on the page, which Prometheus 2 stores unchanged.
	Spellings []string
	// Form is empty for other metrics, and for histograms that may have both forms.
	Form Form
}

// Declared returns the declared metrics of a service as a page.
func Declared(s declared.Signals) Page {
	var p Page
	for _, m := range s.Metrics {
		p.Metrics = append(p.Metrics, Metric{Metric: m})
	}
	return p
}

// Find returns the metric of that name.
func (p Page) Find(name string) (Metric, bool) {
	i := slices.IndexFunc(p.Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return p.Metrics[i], true
}

// page collects the metrics of a scraped page.
type page struct {
	types   map[string]model.MetricType
	units   map[string]string
	help    map[string]string
	metrics map[string]*Metric
	seen    map[string]bool // labels and bounds by metric
	sampled map[string]bool // families that have series
	// counterSuffix is omitted in the names of counter families in OpenMetrics.
	counterSuffix string
}

// Parse reads a page in the text format or OpenMetrics, which it detects. Labels without series are
// unknown.
func Parse(name string, src []byte) (Page, error) {
	if text := bytes.TrimSpace(src); bytes.HasPrefix(text, []byte("<")) {
		return Page{}, fmt.Errorf("%s: not metrics but an HTML page; use the URL that Prometheus scrapes, which usually ends in /metrics", name)
	}
	kind := "text/plain"
	if bytes.HasSuffix(bytes.TrimSpace(src), []byte("# EOF")) {
		kind = "application/openmetrics-text; version=1.0.0"
	}
	if line := longLine(src); line > 0 {
		return Page{}, fmt.Errorf("%s:%d: the line is longer than %d KiB; use the URL that Prometheus scrapes", name, line, maxLine>>10)
	}
	p, err := textparse.New(src, kind, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return Page{}, fmt.Errorf("%s: %w", name, err)
	}
	out := page{
		types: map[string]model.MetricType{}, units: map[string]string{}, help: map[string]string{},
		metrics: map[string]*Metric{}, seen: map[string]bool{}, sampled: map[string]bool{},
	}
	if kind != "text/plain" {
		out.counterSuffix = "_total"
	}
	if entries, err := out.read(p); errors.Is(err, errManyMetrics) {
		return Page{}, fmt.Errorf("%s:%d: %w", name, lineOf(src, entries), err)
	} else if err != nil { // err is left out: it quotes the page, which may be any file
		reason := "not a page of metrics; use the URL that Prometheus scrapes, or --signals for a telemetry.json"
		if len(out.metrics)+len(out.types) > 0 {
			reason = reasonOf(err)
		}
		return Page{}, fmt.Errorf("%s:%d: %s", name, lineOf(src, entries), reason)
	}
	if len(out.metrics) == 0 {
		return Page{}, fmt.Errorf("%s: no metrics; use the URL that Prometheus scrapes", name)
	}
	out.addUnsampled()
	return out.result(), nil
}

// reasonOf describes an error of the parser without quoting the page.
func reasonOf(err error) string {
	for _, known := range [][2]string{
		{"strconv.", "the value or the timestamp is not a number"},
		{"expected value", "the metric has no value"},
		{"expected label name", "the labels are not separated by commas, or not closed with }"},
		{"expected comma", "the labels are not separated by commas, or not closed with }"},
		{"expected label value", "a label value does not have double quotes on both sides"},
		{"expected equal", "a label has no = after its name"},
		{"invalid UTF-8", "a label value is not UTF-8"},
		{"expected timestamp", "the text after the value is not a timestamp"},
		{"expected next entry", "there is text after the timestamp"},
	} {
		if strings.HasPrefix(err.Error(), known[0]) {
			return known[1] + "; correct the line"
		}
	}
	if strings.HasPrefix(err.Error(), "invalid metric type") {
		return "the type is unknown; write counter, gauge, histogram, summary or untyped"
	}
	return "not in the text format of Prometheus; correct the line"
}

// maxLine is the maximum length of a line, in bytes. Prometheus's labels panic above 16 MiB.
const maxLine = 1 << 20

// longLine returns the number of the first line that is too long, or 0.
func longLine(src []byte) int {
	n := 0
	for line := range bytes.Lines(src) {
		n++
		if len(line) > maxLine {
			return n
		}
	}
	return 0
}

// lineOf returns the number of the line after that many entries. Each line that is not blank is one.
func lineOf(src []byte, entries int) int {
	n := 0
	for line := range bytes.Lines(src) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if entries == 0 {
			return n
		}
		entries--
	}
	return n
}

// read returns the number of entries that it has read.
func (p page) read(from textparse.Parser) (entries int, err error) {
	for ; ; entries++ {
		entry, err := from.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		switch entry {
		case textparse.EntryType:
			name, kind := from.Type()
			p.types[string(name)] = kind
		case textparse.EntryUnit:
			name, unit := from.Unit()
			p.units[string(name)] = string(unit)
		case textparse.EntryHelp:
			name, help := from.Help()
			p.help[string(name)] = string(help)
		case textparse.EntrySeries:
			var l labels.Labels
			from.Labels(&l)
			text, _, _ := from.Series()
			p.series(l, text)
		}
		if len(p.metrics) > maxMetrics || len(p.types) > maxMetrics {
			return entries, errManyMetrics
		}
	}
}

// maxMetrics limits the memory of a page. A metric needs some kilobytes.
const maxMetrics = 50_000

var errManyMetrics = fmt.Errorf("more than %d metrics; pass the page of one service", maxMetrics)

// series adds a series to its metric. Its labels have bounds in the spelling of Prometheus 3, its
// text in that of the page.
func (p page) series(l labels.Labels, text []byte) {
	name := l.Get(model.MetricNameLabel)
	family, kind := p.family(name)
	p.sampled[family] = true
	if strings.HasSuffix(name, "_created") && family != name {
		return // creation time of a counter, which queries do not need
	}
	metric := name
	if kind == model.MetricTypeHistogram || kind == model.MetricTypeSummary {
		metric = family
	}
	m, ok := p.metrics[metric]
	if !ok {
		m = &Metric{Metric: p.declaration(metric, family, kind), Values: map[string][]string{}}
		p.metrics[metric] = m
	}
	l.Range(func(label labels.Label) {
		switch {
		case label.Name == model.MetricNameLabel:
		case label.Name == semconv.LabelLessOrEqual && m.Type == "histogram":
			bound, err := strconv.ParseFloat(label.Value, 64)
			if err == nil && label.Value != "+Inf" && p.first(metric, label.Name, label.Value) {
				m.Bounds = append(m.Bounds, bound)
				m.Spellings = append(m.Spellings, spelling(text))
			}
		case label.Name == semconv.LabelQuantile && m.Type == "summary":
		default:
			if p.first(metric, label.Name) {
				m.Labels = append(m.Labels, label.Name)
			}
			addValue(m.Values, label)
		}
	})
}

var boundLabel = regexp.MustCompile(`[{,]\s*le\s*=\s*"([^"]*)"`)

// spelling returns the text of the bound of a series.
func spelling(text []byte) string {
	m := boundLabel.FindSubmatch(text)
	if m == nil {
		return ""
	}
	return string(m[1])
}

func (p page) declaration(name, family string, kind model.MetricType) declared.Metric {
	return declared.Metric{Name: name, Type: typeOf(kind), Unit: p.units[family], Help: p.help[family], Labels: []string{}}
}

// maxValues is the maximum number of values of a label. A label with more, such as an id, has values
// that the page does not have.
const maxValues = 100

func addValue(values map[string][]string, label labels.Label) {
	if had := values[label.Name]; len(had) <= maxValues && !slices.Contains(had, label.Value) {
		values[label.Name] = append(had, label.Value)
	}
}

// first reports whether the words are new.
func (p page) first(words ...string) bool {
	key := strings.Join(words, "\x00")
	known := p.seen[key]
	p.seen[key] = true
	return !known
}

// family returns the name and type of the declaration of a series.
func (p page) family(name string) (string, model.MetricType) {
	if kind, ok := p.types[name]; ok {
		return name, kind
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum", "_total", "_created", "_info"} {
		if base, found := strings.CutSuffix(name, suffix); found {
			if kind, ok := p.types[base]; ok {
				return base, kind
			}
		}
	}
	return name, model.MetricTypeUnknown
}

// typeOf returns the declared type, or "" if it is unknown.
func typeOf(kind model.MetricType) declared.Type {
	switch kind {
	case model.MetricTypeCounter, model.MetricTypeGauge, model.MetricTypeHistogram, model.MetricTypeSummary:
		return declared.Type(kind)
	case model.MetricTypeInfo, model.MetricTypeStateset:
		return declared.Gauge
	}
	return ""
}

// addUnsampled adds metrics with a type and without series, which appear with the first event.
func (p page) addUnsampled() {
	for family, kind := range p.types {
		if p.sampled[family] {
			continue
		}
		name := family
		if kind == model.MetricTypeCounter {
			name = strings.TrimSuffix(name, p.counterSuffix) + p.counterSuffix
		}
		p.metrics[name] = &Metric{Metric: p.declaration(name, family, kind), NoSeries: true}
	}
}

func (p page) result() Page {
	var s Page
	for _, name := range slices.Sorted(maps.Keys(p.metrics)) {
		m := *p.metrics[name]
		if m.Type == declared.Histogram && len(m.Bounds) > 0 { // in the text format, a native one has only the bucket +Inf
			m.Form = Classic
		}
		slices.Sort(m.Labels)
		slices.Sort(m.Bounds)
		m.Bounds = slices.Compact(m.Bounds) // a bound may have two spellings
		for label, values := range m.Values {
			slices.Sort(values)
			if len(values) > maxValues {
				delete(m.Values, label)
			}
		}
		s.Metrics = append(s.Metrics, m)
	}
	return s
}

// Merge merges pages. A metric has the labels and bounds of all pages, and no type if the types
// differ.
func Merge(all ...Page) Page {
	metrics := map[string]Metric{}
	for _, s := range all {
		for _, m := range s.Metrics {
			old, seen := metrics[m.Name]
			if !seen {
				metrics[m.Name] = m
				continue
			}
			old.Form = formOfBoth(old, m)
			if old.Type != m.Type {
				old.Type = ""
			}
			if old.Unit != m.Unit {
				old.Unit = ""
			}
			old.NoSeries = old.NoSeries && m.NoSeries
			old.Labels = union(old.Labels, m.Labels)
			old.Bounds = union(old.Bounds, m.Bounds)
			old.Spellings = union(old.Spellings, m.Spellings)
			old.Values = valuesOfBoth(old, m)
			metrics[m.Name] = old
		}
	}
	out := Page{}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		out.Metrics = append(out.Metrics, metrics[name])
	}
	return out
}

// valuesOfBoth merges the label values of two pages, without labels that have too many. Declared
// metrics have no values.
func valuesOfBoth(a, b Metric) map[string][]string {
	switch {
	case a.Values == nil:
		return b.Values
	case b.Values == nil:
		return a.Values
	}
	both := map[string][]string{}
	for _, label := range union(a.Labels, b.Labels) {
		many := func(m Metric) bool { return m.Values[label] == nil && slices.Contains(m.Labels, label) }
		if !many(a) && !many(b) {
			if all := union(a.Values[label], b.Values[label]); len(all) <= maxValues {
				both[label] = all
			}
		}
	}
	return both
}

func union[T cmp.Ordered](a, b []T) []T {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
