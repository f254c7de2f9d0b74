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

// HistogramMode says which form of histogram a service exposes. It is fixed
// when a service is generated, because rules and dashboards query one form.
type HistogramMode string

// The forms of a histogram.
const (
	// Classic exposes buckets with fixed bounds.
	Classic HistogramMode = "classic"
	// Native exposes exponential buckets.
	Native HistogramMode = "native"
	// Both exposes the two forms side by side, for a migration.
	Both HistogramMode = "both"
)

// Shape of native histograms: a growth of 10 % a bucket keeps a quantile within
// 5 % of the truth, 160 buckets span nine decades at that growth, and an hour
// between resets keeps a scrape from seeing more than one.
const (
	nativeGrowth     = 1.1
	nativeMaxBuckets = 160
	nativeMinReset   = time.Hour
)

// Registry holds the metrics of one service. It guards their names and the number
// of values of each label (see [Registry.SetLabelLimit]), and it remembers each
// declaration, so that a service can print its signals before the first request
// (see [Registry.Declarations]).
//
// A Registry is safe for concurrent use.
type Registry struct {
	prom *prometheus.Registry
	mode HistogramMode

	labelCeiling atomic.Int64
	warn         func(metric, label string) // about the first overflow of a label

	mu         sync.Mutex
	declared   map[string]declared.Metric
	vecs       map[string]prometheus.Collector
	orders     map[string][]string      // labels of vecs, in the order of their values
	guards     map[string][]*labelGuard // by metric
	grown      map[string]int           // by metric: its series when it lost a label
	foreigners map[string]*labelGuard   // by metric of a foreign collector
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
	r.SetLabelLimit(labelCeiling)
	return r
}

// Histograms is the form of the registry's histograms.
func (r *Registry) Histograms() HistogramMode { return r.mode }

// Counter declares a counter. The name ends in _total. A counter without
// labels exists at zero from now on; give the others their zeros by calling
// WithLabelValues once for each combination that is known beforehand.
//
// A second call with the same shape returns the same counter; a call with
// another shape, which includes the order of the labels, is an error, as is a name
// that [CheckMetric] rejects, or one that ends in _seconds_total and neither in
// _time_seconds_total nor in _cpu_seconds_total: durations belong in a histogram. The
// error begins with the file and line of the call.
//
// A label has room for a thousand values, whichever way a child is made; see
// [Registry.SetLabelLimit]. Looking a child up costs one allocation: keep the
// child where that counts.
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

// Histogram declares a histogram with the given upper bounds, in the base unit
// that the name ends in, such as _seconds or _bytes; _items is for a count. In
// [Native] mode the bounds are not used. See [Registry.Counter] for the rules.
func (r *Registry) Histogram(name, help string, bounds []float64, labels ...string) (*prometheus.HistogramVec, error) {
	if r.mode == Native {
		bounds = nil
	} else if len(bounds) == 0 || !rising(bounds) {
		return nil, atDeclaration(fmt.Errorf("metric %s: the bounds of a histogram must be given and rise", name))
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

// rising says whether each bound is above the one before; NaN never is.
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

// add returns the metric, which it builds if it is new. The order is that of the labels.
func add[V prometheus.Collector](r *Registry, d declared.Metric, order []string, build func() V) (V, error) {
	var none V
	r.mu.Lock()
	defer r.mu.Unlock()
	if have, ok := r.declared[d.Name]; ok {
		vec, ok := r.vecs[d.Name].(V)
		if !ok || !sameShape(have, d) {
			return none, fmt.Errorf("metric %s is already declared as %s; give one of the two another name", d.Name, shape(have))
		}
		if first := r.orders[d.Name]; !slices.Equal(first, order) {
			return none, fmt.Errorf("metric %s is already declared with its labels in the order [%s]; name them in that order, which is that of their values",
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

// Register adds a collector. It must collect at least one series of every
// metric that it describes already now, because that is where their types are
// read from; use [Registry.Counter] and its siblings for metrics that are born
// later. Names are guarded as theirs are.
func (r *Registry) Register(c prometheus.Collector) error {
	if err := r.register(c, CheckMetric); err != nil {
		return atDeclaration(err)
	}
	return nil
}

// register lets foreign collectors keep names that our guard would refuse.
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

// Declarations lists what the service declared, sorted by name. Traffic does
// not change it.
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
