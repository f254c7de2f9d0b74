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

// Bounds of cardinality.
const (
	// labelCeiling is how many values one label of one metric has room for. It
	// is ten times what Prometheus' guidance says to investigate (100) and half
	// of OpenTelemetry's default limit of series for a whole instrument (2000):
	// above what a service names by itself, below what hurts a store.
	labelCeiling = 1000
	// seriesPerValue bounds the combinations: a metric may have this many times
	// the ceiling of a label in series.
	seriesPerValue = 20
	// highestCeiling keeps that product inside an int, also of 32 bits.
	highestCeiling = math.MaxInt32 / seriesPerValue
	// valueLength is the longest value of a label in bytes. Names of hosts end at
	// 253; what is longer was not meant to be a name.
	valueLength = 256
)

const overflowHelp = "Observations that went into an overflow series because a label had too many values."

// labelGuard decides which values one label of one metric gets. The metric
// library asks it for every child, whichever way the child is made.
type labelGuard struct {
	registry *Registry
	metric   string
	label    string

	mu        sync.RWMutex
	known     map[string]string // values with a place, each a copy of its own
	collapsed bool              // every value overflows: the combinations were too many

	first    sync.Once
	overflow prometheus.Counter // set by first
}

// admit returns the value, or the overflow value when there is no room for it.
func (g *labelGuard) admit(value string) string {
	if value == semconv.OverflowValue {
		return value // somebody with a closer look has counted it
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

// learn gives a new value a place while there is one. A value with a place keeps
// it, also when its series is deleted.
func (g *labelGuard) learn(value string) (string, bool) {
	if len(value) > valueLength || !utf8.ValidString(value) || g.full() {
		return "", false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.collapsed { // in the meantime
		return "", false
	}
	if kept, ok := g.known[value]; ok {
		return kept, true
	}
	if len(g.known) >= g.registry.labelLimit() {
		return "", false
	}
	value = strings.Clone(value) // it may be a part of a request's header
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

// count counts observations that overflowed and warns about the first.
func (g *labelGuard) count(n int) {
	g.first.Do(func() {
		g.overflow = g.registry.overflowOf(g.metric, g.label)
		g.registry.warn(g.metric, g.label)
	})
	g.overflow.Add(float64(n))
}

// guarded gives each label its guard.
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

// SetLabelLimit changes how many values each label of each metric has room for;
// 1000 without it. The values beyond share one series with the value
// [semconv.OverflowValue]; they are counted in runtime_cardinality_overflow_total, and
// the first one of a label is warned about. It takes effect at once; values that
// have a place keep it.
//
// A higher ceiling is for a bounded set that is known to be large, as are the
// tenants of a service. What has no end belongs on a span or a log line.
func (r *Registry) SetLabelLimit(values int) {
	r.labelCeiling.Store(int64(min(max(values, 1), highestCeiling)))
}

func (r *Registry) labelLimit() int { return int(r.labelCeiling.Load()) }

// declareOverflow declares the counter of overflows. A registry of its own, as in
// a test, has it from the first overflow on.
func (r *Registry) declareOverflow() (*prometheus.CounterVec, error) {
	return r.Counter(semconv.RuntimeCardinalityOverflow, overflowHelp, semconv.LabelMetric, semconv.LabelLabel)
}

// zeroOverflows gives the labels of a metric their zeros. The caller holds the
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
		// Somebody took the name for another metric, which New would have refused.
		return prometheus.NewCounter(prometheus.CounterOpts{Name: semconv.RuntimeCardinalityOverflow, Help: overflowHelp})
	}
	return vec.WithLabelValues(metric, label)
}

// Gather implements [prometheus.Gatherer]. It is also where combinations of
// labels are bounded: each label may stay below its ceiling and their product
// not. Then the label with the most values is given up, for good, and the next one
// only when that did not end the growth.
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

// shorten ends the growth of a metric with too many series. Series of a foreign
// collector cannot be stopped where they are made; those beyond the limit are
// left out.
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

// grew says whether a metric has as many more series as it may since it lost a
// label. Those that it had then stay, and are no reason to lose another one: not
// in the next scrape, nor in one that goes on at the same time.
func (r *Registry) grew(metric string, series, limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if series-r.grown[metric] <= limit {
		return false
	}
	r.grown[metric] = series
	return true
}

// widest is the label of a metric with the most values; nil when it is foreign.
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

// foreign counts for a metric whose labels cannot be guarded.
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

// widestLabel is the label with the most values among the series.
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
