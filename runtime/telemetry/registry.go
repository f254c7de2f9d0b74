package telemetry

import (
	"errors"
	"fmt"
	"math"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/declared"
)

// HistogramMode is the type of histograms that a service exposes. It is fixed in a generated
// service, because its rules and dashboards query one type.
type HistogramMode string

// The types of histograms.
const (
	// Classic exposes buckets with fixed bounds.
	Classic HistogramMode = "classic"
	// Native exposes exponential buckets.
	Native HistogramMode = "native"
	// Both exposes both types, for a migration.
	Both HistogramMode = "both"
)

// Configuration of native histograms: with a growth of 10 % per bucket, quantiles are accurate to
// 5 %, and 160 buckets span nine decades. With an hour between resets, a scrape sees at most one.
const (
	nativeGrowth     = 1.1
	nativeMaxBuckets = 160
	nativeMinReset   = time.Hour
)

// Registry has the metrics of a service. It checks their names and limits the number of values of
// each label (see [Registry.SetLabelLimit]). It records all declarations, so that a service can
// print its signals without traffic (see [Registry.Declarations]).
//
// A Registry is safe for concurrent use.
type Registry struct {
	prom *prometheus.Registry
	mode HistogramMode

	maxLabelValues atomic.Int64
	warn           func(metric, label string) // called at the first overflow of a label

	mu         sync.Mutex
	declared   map[string]declared.Metric
	vecs       map[string]prometheus.Collector
	orders     map[string][]string      // labels of vecs in the order of their values
	guards     map[string][]*labelGuard // by metric
	grown      map[string]int           // by metric: its series when a label overflowed
	foreigners map[string]*labelGuard   // by metric of an external collector
}

// NewRegistry returns an empty registry. An empty mode means [Classic].
func NewRegistry(mode HistogramMode) *Registry {
	if mode == "" {
		mode = Classic
	}
	r := &Registry{
		prom:       prometheus.NewRegistry(),
		mode:       mode,
		warn:       func(string, string) {},
		declared:   map[string]declared.Metric{},
		vecs:       map[string]prometheus.Collector{},
		orders:     map[string][]string{},
		guards:     map[string][]*labelGuard{},
		grown:      map[string]int{},
		foreigners: map[string]*labelGuard{},
	}
	r.SetLabelLimit(defaultLabelLimit)
	return r
}

// Histograms returns the type of the registry's histograms.
func (r *Registry) Histograms() HistogramMode { return r.mode }

// Counter declares a counter. The name must end in _total. A counter without labels starts at
// zero; for others, call WithLabelValues once for each combination that is known in advance.
//
// A second call with the same type and labels returns the same counter. A call with other labels,
// or labels in another order, is an error. So is a name that [CheckMetric] rejects, or one that
// ends in _seconds_total but neither in _time_seconds_total nor in _cpu_seconds_total: durations
// belong in a histogram. The error begins with the file and line of the call.
//
// The number of values of a label is limited; see [Registry.SetLabelLimit]. Looking up a child
// costs one allocation: keep the child where that matters.
func (r *Registry) Counter(name, help string, labels ...string) (*prometheus.CounterVec, error) {
	d := declared.Metric{Name: name, Type: declared.Counter, Help: help, Labels: labels}
	return declare(r, d, func() *prometheus.CounterVec {
		vec := prometheus.V2.NewCounterVec(prometheus.CounterVecOpts{
			CounterOpts: prometheus.CounterOpts{Name: name, Help: help}, VariableLabels: r.guarded(name, labels),
		})
		if len(labels) == 0 {
			vec.WithLabelValues()
		}
		return vec
	})
}

// Gauge declares a gauge; see [Registry.Counter] for the rules.
func (r *Registry) Gauge(name, help string, labels ...string) (*prometheus.GaugeVec, error) {
	d := declared.Metric{Name: name, Type: declared.Gauge, Help: help, Labels: labels}
	return declare(r, d, func() *prometheus.GaugeVec {
		vec := prometheus.V2.NewGaugeVec(prometheus.GaugeVecOpts{
			GaugeOpts: prometheus.GaugeOpts{Name: name, Help: help}, VariableLabels: r.guarded(name, labels),
		})
		if len(labels) == 0 {
			vec.WithLabelValues()
		}
		return vec
	})
}

// Histogram declares a histogram with the given upper bounds. They have the base unit at the end
// of the name, such as _seconds or _bytes; _items is for a count. [Native] mode does not use the
// bounds. See [Registry.Counter] for the rules.
func (r *Registry) Histogram(name, help string, bounds []float64, labels ...string) (*prometheus.HistogramVec, error) {
	if r.mode == Native {
		bounds = nil
	} else if len(bounds) == 0 || !rising(bounds) {
		return nil, atDeclaration(fmt.Errorf("metric %s: the bounds of a histogram must be increasing and not empty", name))
	}
	d := declared.Metric{Name: name, Type: declared.Histogram, Help: help, Labels: labels, Bounds: bounds}
	return declare(r, d, func() *prometheus.HistogramVec {
		opts := prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}
		if r.mode != Classic {
			opts.NativeHistogramBucketFactor = nativeGrowth
			opts.NativeHistogramMaxBucketNumber = nativeMaxBuckets
			opts.NativeHistogramMinResetDuration = nativeMinReset
		}
		return prometheus.V2.NewHistogramVec(prometheus.HistogramVecOpts{HistogramOpts: opts, VariableLabels: r.guarded(name, labels)})
	})
}

// rising reports whether bounds are increasing. NaN never is.
func rising(bounds []float64) bool {
	for i, b := range bounds {
		if math.IsNaN(b) || i > 0 && b <= bounds[i-1] {
			return false
		}
	}
	return true
}

func declare[V prometheus.Collector](r *Registry, d declared.Metric, build func() V) (V, error) {
	d.Unit = unitOf(d)
	order := slices.Clone(d.Labels)
	d.Labels = slices.Clone(d.Labels)
	slices.Sort(d.Labels)
	err := errors.Join(CheckMetric(d), checkUnit(d))
	var vec V
	if err == nil {
		vec, err = add(r, d, order, build)
	}
	if err != nil {
		return vec, atDeclaration(err)
	}
	return vec, nil
}

// atDeclaration adds the file and line of the call into this package.
func atDeclaration(err error) error {
	const depth = 8 // more than the calls within the package
	callers := make([]uintptr, depth)
	frames := goruntime.CallersFrames(callers[:goruntime.Callers(2, callers)])
	for frame, more := frames.Next(); more; frame, more = frames.Next() {
		if !strings.Contains(frame.Function, "/runtime/telemetry.") {
			return fmt.Errorf("%s:%d: %w", frame.File, frame.Line, err)
		}
	}
	return err
}

// add returns the metric, which it builds if it is new. order is the order of the labels.
func add[V prometheus.Collector](r *Registry, d declared.Metric, order []string, build func() V) (V, error) {
	var none V
	r.mu.Lock()
	defer r.mu.Unlock()
	if have, ok := r.declared[d.Name]; ok {
		vec, ok := r.vecs[d.Name].(V)
		if !ok || !sameShape(have, d) {
			return none, fmt.Errorf("metric %s is already declared as %s; rename one of them", d.Name, shape(have))
		}
		if first := r.orders[d.Name]; !slices.Equal(first, order) {
			return none, fmt.Errorf("metric %s is already declared with its labels in the order [%s]; use the same order",
				d.Name, strings.Join(first, " "))
		}
		return vec, nil
	}
	vec := build()
	if err := r.prom.Register(vec); err != nil {
		return none, fmt.Errorf("metric %s: %w", d.Name, err)
	}
	r.declared[d.Name] = d
	r.vecs[d.Name], r.orders[d.Name] = vec, order
	r.zeroOverflows(d)
	return vec, nil
}

// Register adds a collector. The types of metrics are read by collecting them, so it must collect
// at least one series of every metric. Declare metrics without series with [Registry.Counter],
// [Registry.Gauge] or [Registry.Histogram]. Names are checked as there.
func (r *Registry) Register(c prometheus.Collector) error {
	if err := r.register(c, CheckMetric); err != nil {
		return atDeclaration(err)
	}
	return nil
}

// register allows external collectors names that check would reject.
func (r *Registry) register(c prometheus.Collector, check func(declared.Metric) error) error {
	probe := prometheus.NewRegistry()
	if err := probe.Register(c); err != nil {
		return fmt.Errorf("collector %T: %w", c, err)
	}
	families, err := probe.Gather()
	if err != nil {
		return fmt.Errorf("collector %T: %w", c, err)
	}
	if len(families) == 0 {
		return fmt.Errorf("collector %T collects nothing yet; declare its metrics with Counter, Gauge or Histogram", c)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	declarations := make([]declared.Metric, 0, len(families))
	var problems []error
	for _, f := range families {
		d := declarationOf(f)
		if _, taken := r.declared[d.Name]; taken {
			problems = append(problems, fmt.Errorf("metric %s is already declared", d.Name))
		}
		if check != nil {
			problems = append(problems, check(d))
		}
		declarations = append(declarations, d)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if err := r.prom.Register(c); err != nil {
		return fmt.Errorf("collector %T: %w", c, err)
	}
	for _, d := range declarations {
		r.declared[d.Name] = d
	}
	return nil
}

// Declarations returns the declared metrics, sorted by name. They do not depend on traffic.
func (r *Registry) Declarations() []declared.Metric {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]declared.Metric, 0, len(r.declared))
	for _, d := range r.declared {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b declared.Metric) int { return strings.Compare(a.Name, b.Name) })
	return list
}
