package verify

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// steps is the number of points that are read per panel.
const steps = 120

// prober runs queries on what the watch has seen.
type prober struct {
	watch    *watch
	from, to time.Time           // time range of dashboards
	asked    time.Time           // real time of to
	known    []string            // metrics that may appear later: declared or recorded
	labels   map[string][]string // declared labels, by metric
}

// reach extends the time range of dashboards until now.
func (p *prober) reach() {
	if now := p.watch.time(); !now.Equal(p.to) {
		p.to, p.asked = now, time.Now()
	}
}

// look returns how many series with data a query has. NaN, such as the quantile of no observations, is not
// data.
func (p *prober) look(ctx context.Context, expr string, instant bool) (series int, err error) {
	if instant {
		v, err := p.watch.ev.Query(ctx, expr, p.to)
		for _, s := range v {
			if s.H != nil || !math.IsNaN(s.F) {
				series++
			}
		}
		return series, err
	}
	step := max(p.to.Sub(p.from)/steps, p.watch.interval).Round(p.watch.interval)
	m, err := p.watch.ev.QueryRange(ctx, expr, p.from, p.to, step)
	for _, s := range m {
		isNumber := func(i int) bool { return !math.IsNaN(s.Floats[i].F) }
		if len(s.Histograms) > 0 || slices.ContainsFunc(indexes(len(s.Floats)), isNumber) {
			series++
		}
	}
	return series, err
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// why explains an empty result: the first selector without series, and which of its names does not exist,
// with the most similar existing name.
func (p *prober) why(ctx context.Context, expr string) string {
	tree, err := promql.Parse(expr)
	if err != nil {
		return err.Error()
	}
	reason := "every metric in it has series, but the expression has no result"
	for _, s := range selectors(tree) {
		if missing := p.missing(ctx, s); missing != "" {
			return missing
		}
	}
	return reason
}

func selectors(tree parser.Node) []*parser.VectorSelector {
	var out []*parser.VectorSelector
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			out = append(out, s)
		}
		return nil
	})
	return out
}

// missing returns what part of a selector does not exist; empty if it has series.
func (p *prober) missing(ctx context.Context, s *parser.VectorSelector) string {
	all := p.series(ctx, s.LabelMatchers...)
	if len(all) > 0 {
		return ""
	}
	name := slices.IndexFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == model.MetricNameLabel })
	if name < 0 {
		return fmt.Sprintf("nothing matches %s", s)
	}
	byName := p.series(ctx, s.LabelMatchers[name])
	if len(byName) == 0 {
		metric := s.LabelMatchers[name].Value
		if form := p.otherForm(ctx, metric); form != "" {
			return form
		}
		if slices.Contains(p.known, metric) {
			return fmt.Sprintf("metric %s is declared and has no series yet", metric)
		}
		return fmt.Sprintf("metric %s does not exist%s", metric, diagnostic.NearestMetric(metric, append(p.metrics(ctx), p.known...)))
	}
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			continue
		}
		values := valuesOf(byName, m.Name)
		if len(values) == 0 && slices.Contains(p.labels[s.LabelMatchers[name].Value], m.Name) {
			return fmt.Sprintf("no series of %s has the label %s yet", s.LabelMatchers[name].Value, m.Name)
		}
		if len(values) == 0 && !m.Matches("") {
			return fmt.Sprintf("metric %s has no label %s%s", s.LabelMatchers[name].Value, m.Name, diagnostic.DidYouMean(m.Name, namesOf(byName)))
		}
		if !slices.ContainsFunc(values, m.Matches) && !m.Matches("") {
			return fmt.Sprintf("no series of %s has %s; available: %s", s.LabelMatchers[name].Value, m, readable(values))
		}
	}
	return fmt.Sprintf("no series of %s has all of %s", s.LabelMatchers[name].Value, s)
}

// otherForm returns advice if the name is that of a histogram that is only scraped in its other form, classic
// or native.
func (p *prober) otherForm(ctx context.Context, name string) string {
	exists := func(series string, more *labels.Matcher) bool {
		return len(p.series(ctx, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, series), more)) > 0
	}
	h := exposition.Metric{Metric: declared.Metric{Name: name}, Form: exposition.Classic}
	if exists(name+"_bucket", labels.MustNewMatcher(labels.MatchNotEqual, semconv.LabelLessOrEqual, "")) {
		return h.AbsentSeries()[name]
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		base, found := strings.CutSuffix(name, suffix)
		h.Name, h.Form = base, exposition.Native
		if found && slices.Contains(p.known, base+"_bucket") && exists(base, labels.MustNewMatcher(labels.MatchEqual, semconv.LabelQuantile, "")) {
			return h.AbsentSeries()[name]
		}
	}
	return ""
}

// readable lists a few values.
func readable(values []string) string {
	const most = 6
	text := strings.Join(values[:min(most, len(values))], ", ")
	if len(values) > most {
		text += ", …"
	}
	return text
}

func (p *prober) series(ctx context.Context, ms ...*labels.Matcher) []labels.Labels {
	q, err := p.watch.store.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return nil
	}
	defer func() { _ = q.Close() }()
	var out []labels.Labels
	for set := q.Select(ctx, false, nil, ms...); set.Next(); {
		out = append(out, set.At().Labels())
	}
	return out
}

func (p *prober) metrics(ctx context.Context) []string {
	q, err := p.watch.store.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return nil
	}
	defer func() { _ = q.Close() }()
	names, _, err := q.LabelValues(ctx, model.MetricNameLabel, nil)
	if err != nil {
		return nil
	}
	return names
}

func valuesOf(series []labels.Labels, name string) []string {
	seen := map[string]bool{}
	for _, l := range series {
		if v := l.Get(name); v != "" {
			seen[v] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func namesOf(series []labels.Labels) []string {
	seen := map[string]bool{}
	for _, l := range series {
		l.Range(func(one labels.Label) { seen[one.Name] = true })
	}
	return slices.Sorted(maps.Keys(seen))
}

// unknown returns what part of an expression neither exists nor can appear later: a metric, a label, or a
// value that no series of any metric has.
func (p *prober) unknown(ctx context.Context, expr string) string {
	tree, err := promql.Parse(expr)
	if err != nil {
		return err.Error()
	}
	for _, s := range selectors(tree) {
		if promlint.OfCluster(s.Name) {
			continue
		}
		if missing := p.missing(ctx, s); isLasting(missing) {
			return missing
		}
		if strings.HasPrefix(s.Name, "ALERTS") {
			continue // has the values of firing alerts
		}
		for _, m := range s.LabelMatchers {
			if unknown := p.unknownValue(ctx, m); unknown != "" {
				return unknown
			}
		}
	}
	return ""
}

// readsBefore reports whether an expression reads only times before the run began, such as offset 1w.
func (p *prober) readsBefore(expr string) bool {
	tree, err := promql.Parse(expr)
	if err != nil {
		return false
	}
	all := selectors(tree)
	return len(all) > 0 && !slices.ContainsFunc(all, func(s *parser.VectorSelector) bool { return s.OriginalOffset < offsetBeforeRun })
}

// offsetBeforeRun is longer than what a run simulates before the time range of dashboards.
const offsetBeforeRun = 24 * time.Hour

// isLasting reports whether the series cannot appear later either.
func isLasting(missing string) bool {
	return slices.ContainsFunc([]string{" does not exist", " has no label ", " is a classic histogram", " is a native histogram"}, func(why string) bool { return strings.Contains(missing, why) })
}

// unknownValue reports a selected value that no series of any metric has.
func (p *prober) unknownValue(ctx context.Context, m *labels.Matcher) string {
	if m.Type != labels.MatchEqual || m.Value == "" || m.Name == model.MetricNameLabel || m.Name == labels.BucketLabel {
		return ""
	}
	if len(p.series(ctx, m)) > 0 {
		return ""
	}
	values := valuesOf(p.series(ctx, labels.MustNewMatcher(labels.MatchNotEqual, m.Name, "")), m.Name)
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprintf("nothing has %s; available: %s", m, readable(values))
}
