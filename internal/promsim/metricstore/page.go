package metricstore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
)

// page is the result of a scrape.
type page struct {
	samples []scraped
	bytes   int
}

// scraped is one sample of a page: a native histogram or a value.
type scraped struct {
	labels    labels.Labels
	hash      uint64 // of the stored labels; set by Scraper.label
	value     float64
	histogram *histogram.FloatHistogram
	exemplars []exemplar.Exemplar
}

// parse parses the page. On error it returns no samples.
func (t Target) parse(body []byte, contentType string) ([]scraped, error) {
	if len(body) == 0 {
		return nil, nil
	}
	p, err := textparse.New(body, contentType, labels.NewSymbolTable(), textparse.ParserOptions{
		KeepClassicOnClassicAndNativeHistograms: !t.DropClassic,
		IgnoreNativeHistograms:                  t.DropNative,
	})
	if err != nil {
		return nil, fmt.Errorf("the page is not one of metrics: %w", err)
	}
	var out []scraped
	for entries := 0; ; entries++ {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, malformed(body, contentType, entries, err)
		}
		if entry != textparse.EntrySeries && entry != textparse.EntryHistogram {
			continue
		}
		s, err := sample(p, entry)
		if err != nil {
			return nil, malformed(body, contentType, entries, err)
		}
		out = append(out, s)
	}
}

func sample(p textparse.Parser, entry textparse.Entry) (scraped, error) {
	var s scraped
	p.Labels(&s.labels)
	if !s.labels.Has(model.MetricNameLabel) || !s.labels.IsValid(model.UTF8Validation) {
		return scraped{}, fmt.Errorf("%s has a name or a label name that is not one", s.labels)
	}
	if entry == textparse.EntryHistogram {
		h, err := nativeHistogram(p)
		if err != nil {
			return scraped{}, fmt.Errorf("%s: native histogram: %w", s.labels, err)
		}
		s.histogram = h
	} else {
		_, _, v := p.Series()
		s.value = notStale(v)
	}
	for {
		var e exemplar.Exemplar
		if !p.Exemplar(&e) {
			break
		}
		s.exemplars = append(s.exemplars, e)
	}
	slices.SortStableFunc(s.exemplars, func(a, b exemplar.Exemplar) int { return cmp.Compare(a.Ts, b.Ts) })
	return s, nil
}

func nativeHistogram(p textparse.Parser) (*histogram.FloatHistogram, error) {
	_, _, whole, h := p.Histogram()
	if whole != nil {
		if err := whole.Validate(); err != nil {
			return nil, fmt.Errorf("%w", err)
		}
		h = whole.ToFloat(nil)
	}
	h = h.Copy() // the parser reuses its histogram
	h.Sum = notStale(h.Sum)
	if err := h.Validate(); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return h, nil
}

// notStale replaces the stale marker, a NaN with special bits, so that a page cannot end its series.
func notStale(v float64) float64 {
	if math.IsNaN(v) {
		return math.Float64frombits(value.NormalNaN)
	}
	return v
}

// malformed adds the position to a parse error. In the text formats each entry is one line, so the number of
// entries gives the line.
func malformed(body []byte, contentType string, entries int, err error) error {
	if media, _, _ := mime.ParseMediaType(contentType); media == "application/vnd.google.protobuf" {
		return fmt.Errorf("the page is malformed after %d entries: %w; correct what writes it", entries, err)
	}
	n, text := lineOf(body, entries)
	return fmt.Errorf("line %d of the page is malformed: %q: %w; correct what writes it", n, text, err)
}

// lineOf returns the line that follows a number of non-blank lines.
func lineOf(body []byte, entries int) (n int, text []byte) {
	const readable = 120
	for line := range bytes.Lines(body) {
		n++
		if text = bytes.TrimSpace(line); len(text) == 0 {
			continue
		}
		if entries--; entries < 0 {
			break
		}
	}
	return n, text[:min(len(text), readable)]
}

// label adds the target's labels and renames exposed labels with the same names.
func (t Target) label(l labels.Labels) labels.Labels {
	b := labels.NewBuilder(l)
	var moved []labels.Label
	t.Labels.Range(func(own labels.Label) {
		if exposed := l.Get(own.Name); exposed != "" {
			moved = append(moved, labels.Label{Name: own.Name, Value: exposed})
		}
		b.Set(own.Name, own.Value)
	})
	// The shortest first, as in Prometheus, so that a series with both job and exported_job gets the same
	// names.
	slices.SortStableFunc(moved, func(a, b labels.Label) int { return cmp.Compare(len(a.Name), len(b.Name)) })
	for _, m := range moved {
		name := model.ExportedLabelPrefix + m.Name
		for b.Get(name) != "" {
			name = model.ExportedLabelPrefix + name
		}
		b.Set(name, m.Value)
	}
	return b.Labels()
}
