package telemetry

import (
	"math"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Limits of cardinality.
const (
	// defaultLabelLimit is the default number of values of a label of a metric. It is ten times what
	// the Prometheus documentation says to investigate (100), and half of OpenTelemetry's default
	// limit for all series of an instrument (2000).
	defaultLabelLimit = 1000
	// seriesPerValue limits the series of a metric to this multiple of the label limit.
	seriesPerValue = 20
	// highestLabelLimit keeps that product within a 32-bit int.
	highestLabelLimit = math.MaxInt32 / seriesPerValue
	// valueLength is the maximum length of a label value in bytes. Host names have up to 253;
	// longer values are no names.
	valueLength = 256
)

const overflowHelp = "Observations in an overflow series, because a label exceeded its limit of values."

// labelGuard limits the values of one label of one metric. client_golang calls it for every
// child, however the child is created.
type labelGuard struct {
	registry *Registry
	metric   string
	label    string

	mu        sync.RWMutex
	known     map[string]string // known values, each a copy
	collapsed bool              // every value overflows, because there were too many combinations

	first    sync.Once
	overflow prometheus.Counter // set by first
}

// admit returns the value, or the overflow value if the label is full.
func (g *labelGuard) admit(value string) string {
	if value == semconv.OverflowValue {
		return value // the caller has counted it
	}
	if kept, ok := g.find(value); ok {
		return kept
	}
	if kept, ok := g.learn(value); ok {
		return kept
	}
	g.count(1)
	return semconv.OverflowValue
}

func (g *labelGuard) find(value string) (string, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.collapsed {
		return "", false
	}
	kept, ok := g.known[value]
	return kept, ok
}

// learn adds a new value if there is room. A known value stays known, even if its series is
// deleted.
func (g *labelGuard) learn(value string) (string, bool) {
	if len(value) > valueLength || !utf8.ValidString(value) || g.full() {
		return "", false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.collapsed { // meanwhile
		return "", false
	}
	if kept, ok := g.known[value]; ok {
		return kept, true
	}
	if len(g.known) >= g.registry.labelLimit() {
		return "", false
	}
	value = strings.Clone(value) // it may be part of a request header
	g.known[value] = value
	return value, true
}

func (g *labelGuard) full() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.collapsed || len(g.known) >= g.registry.labelLimit()
}

func (g *labelGuard) values() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.collapsed {
		return 0
	}
	return len(g.known)
}

func (g *labelGuard) collapse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.collapsed = true
}

func (g *labelGuard) count(n int) {
	g.first.Do(func() {
		g.overflow = g.registry.overflowOf(g.metric, g.label)
		g.registry.warn(g.metric, g.label)
	})
	g.overflow.Add(float64(n))
}

// guarded adds a guard to each label.
func (r *Registry) guarded(metric string, labels []string) prometheus.ConstrainableLabels {
	if metric == semconv.RuntimeCardinalityOverflow {
		return prometheus.UnconstrainedLabels(labels) // its values are names in the code
	}
	constrained := make(prometheus.ConstrainedLabels, 0, len(labels))
	for _, label := range labels {
		guard := &labelGuard{registry: r, metric: metric, label: label, known: map[string]string{}}
		r.guards[metric] = append(r.guards[metric], guard)
		constrained = append(constrained, prometheus.ConstrainedLabel{Name: label, Constraint: guard.admit})
	}
	return constrained
}

// SetLabelLimit sets the maximum number of values of each label of each metric; the default is
// 1000. Further values share one series with the value [semconv.OverflowValue]. They are counted
// in runtime_cardinality_overflow_total, and the first one of each label is logged. The limit
// applies immediately; known values stay known.
//
// Raise the limit only for a bounded set, such as the tenants of a service. Put unbounded values
// on spans or log lines.
func (r *Registry) SetLabelLimit(values int) {
	r.maxLabelValues.Store(int64(min(max(values, 1), highestLabelLimit)))
}

func (r *Registry) labelLimit() int { return int(r.maxLabelValues.Load()) }

// declareOverflow registers the counter of overflows. A registry without it registers it at the
// first overflow.
func (r *Registry) declareOverflow() (*prometheus.CounterVec, error) {
	return r.Counter(semconv.RuntimeCardinalityOverflow, overflowHelp, semconv.LabelMetric, semconv.LabelLabel)
}

// zeroOverflows initializes the overflow counters of a metric's labels. The caller holds the
// mutex.
func (r *Registry) zeroOverflows(d declared.Metric) {
	vec, ok := r.vecs[semconv.RuntimeCardinalityOverflow].(*prometheus.CounterVec)
	if !ok || d.Name == semconv.RuntimeCardinalityOverflow {
		return
	}
	for _, label := range d.Labels {
		vec.WithLabelValues(d.Name, label)
	}
}

func (r *Registry) overflowOf(metric, label string) prometheus.Counter {
	vec, err := r.declareOverflow()
	if err != nil {
		// Another metric has this name, which New would have rejected.
		return prometheus.NewCounter(prometheus.CounterOpts{Name: semconv.RuntimeCardinalityOverflow, Help: overflowHelp})
	}
	return vec.WithLabelValues(metric, label)
}

// Gather implements [prometheus.Gatherer]. It also limits combinations: each label may stay below
// its limit while their product does not. Then the label with the most values overflows
// permanently, and the next one only if the series still grow.
func (r *Registry) Gather() ([]*dto.MetricFamily, error) {
	families, err := r.prom.Gather()
	limit := seriesPerValue * r.labelLimit()
	for _, f := range families {
		if excess := len(f.GetMetric()) - limit; excess > 0 {
			r.shorten(f, limit)
		}
	}
	return families, err
}

// shorten limits a metric with too many series. Series of an external collector cannot be limited
// where they are created, so those beyond the limit are omitted.
func (r *Registry) shorten(f *dto.MetricFamily, limit int) {
	series, widest := len(f.GetMetric()), r.widest(f.GetName())
	switch {
	case widest == nil:
		r.foreign(f).count(series - limit)
		f.Metric = f.GetMetric()[:limit]
	case r.grew(f.GetName(), series, limit):
		widest.collapse()
		widest.count(1)
	}
}

// grew reports whether the series of a metric have grown beyond the limit since a label
// overflowed. The series from before stay, and do not cause another label to overflow, not even
// in a concurrent scrape.
func (r *Registry) grew(metric string, series, limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if series-r.grown[metric] <= limit {
		return false
	}
	r.grown[metric] = series
	return true
}

// widest returns the label of a metric with the most values, or nil for an external metric.
func (r *Registry) widest(metric string) *labelGuard {
	r.mu.Lock()
	defer r.mu.Unlock()
	var widest *labelGuard
	for _, g := range r.guards[metric] {
		if widest == nil || g.values() > widest.values() {
			widest = g
		}
	}
	return widest
}

// foreign returns the guard that counts for a metric of an external collector.
func (r *Registry) foreign(f *dto.MetricFamily) *labelGuard {
	label := widestLabel(f)
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := r.foreigners[f.GetName()]
	if !ok {
		g = &labelGuard{registry: r, metric: f.GetName(), label: label}
		r.foreigners[f.GetName()] = g
	}
	return g
}

// widestLabel returns the label with the most values among the series.
func widestLabel(f *dto.MetricFamily) (widest string) {
	values := map[string]map[string]bool{}
	for _, m := range f.GetMetric() {
		for _, pair := range m.GetLabel() {
			name := pair.GetName()
			if values[name] == nil {
				values[name] = map[string]bool{}
			}
			values[name][pair.GetValue()] = true
			if len(values[name]) > len(values[widest]) {
				widest = name
			}
		}
	}
	return widest
}
