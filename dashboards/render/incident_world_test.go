package render_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
)

// The run starts and ends at these times. Before it there are no samples.
const (
	runStart = "11:55:45"
	runEnd   = "12:40:00"
	scrape   = 15 * time.Second
)

// clock returns a time of the day of the run, such as 12:08:15.
func clock(text string) time.Time {
	number := func(i int) int { return int(text[i]-'0')*10 + int(text[i+1]-'0') }
	return time.Date(2026, time.November, 28, number(0), number(3), number(6), 0, time.UTC)
}

// between reports whether a time is in [from, to).
func between(t time.Time, from, to string) bool { return !t.Before(clock(from)) && t.Before(clock(to)) }

// process is an instance of the service. It may restart.
type process struct {
	instance, environment, pool string
	offset                      time.Duration // of its scrapes
	lives                       []life
}

// life is the time between a start and the end.
type life struct {
	from, to time.Time
	version  string
}

// processes are those of the run: two of three in production restarted with a new version, which staging had
// all the time.
func processes() []process {
	prod := func(port string, offset time.Duration, lives ...life) process {
		return process{"127.0.0.1:" + port, "prod", "orders_grafana", offset, lives}
	}
	start, end := clock("11:55:40"), clock("12:59:00")
	return []process{
		prod("39461", 2*time.Second, life{start, clock("12:07:14"), "1.4.2"}, life{clock("12:07:36"), end, "1.5.0"}),
		prod("39462", 5*time.Second, life{start, clock("12:08:06"), "1.4.2"}, life{clock("12:08:14"), end, "1.5.0"}),
		prod("39463", 9*time.Second, life{start, end, "1.4.2"}),
		{"127.0.0.1:39464", "staging", "orders_staging", 13 * time.Second, []life{{start, end, "1.5.0"}}},
	}
}

// at returns the life at a time, or nil.
func (p process) at(t time.Time) *life {
	for i, l := range p.lives {
		if !t.Before(l.from) && t.Before(l.to) {
			return &p.lives[i]
		}
	}
	return nil
}

// world is the store of a run that is being filled.
type world struct {
	tb        testing.TB
	store     *metricstore.Store
	processes []process
	exemplars []ofSeries        // by time
	aliases   map[string]string // names that series have, too
}

type ofSeries struct {
	series labels.Labels
	exemplar.Exemplar
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	return worldOf(tb, nil)
}

// worldOf returns the world of the run. Aliases are second names of its metrics.
func worldOf(tb testing.TB, aliases map[string]string) *world {
	tb.Helper()
	w := &world{tb: tb, store: metricstore.New(), processes: processes(), aliases: aliases}
	for _, p := range w.processes {
		w.target(p)
		w.requests(p)
		w.database(p)
		w.runtime(p)
		w.goRuntime(p)
	}
	// An alert of another service.
	alert := labels.FromStrings("__name__", "ALERTS", "alertname", "PaymentsErrorBudgetBurn", "alertstate", "firing", "environment", "prod", "service", "payments")
	w.add(w.processes[0], alert, always, func(int) float64 { return 1 })
	slices.SortStableFunc(w.exemplars, func(a, b ofSeries) int { return int(a.Ts - b.Ts) })
	return w
}

// scrapes is the number of scrapes of a process.
func scrapes() int { return int(clock(runEnd).Sub(clock(runStart)) / scrape) }

// time returns when a scrape happens.
func (p process) time(n int) time.Time {
	return clock(runStart).Add(p.offset + time.Duration(n)*scrape)
}

// add adds a series. Value is called with the number of the scrape.
func (w *world) add(p process, l labels.Labels, exists func(time.Time) bool, value func(n int) float64) {
	w.tb.Helper()
	epoch := func(t time.Time) time.Duration { return time.Duration(t.UnixNano()) }
	first := epoch(p.time(0))
	if alias, ok := w.alias(l.Get("__name__")); ok {
		renamed := labels.NewBuilder(l).Set("__name__", alias).Labels()
		w.add(p, renamed, exists, value)
	}
	err := w.store.Generate(l, synthetic.Series{
		First: first, Last: epoch(p.time(scrapes() - 1)), Every: scrape,
		Exists: func(t time.Duration) bool { return t >= first && exists(time.Unix(0, int64(t)).UTC()) },
		Read:   func(t time.Duration) float64 { return value(int((t - first) / scrape)) },
	}.Generator())
	if err != nil {
		w.tb.Fatal(err)
	}
}

// alias returns the second name of a metric, or of one of its series.
func (w *world) alias(name string) (string, bool) {
	for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && w.aliases[base] != "" {
			return w.aliases[base] + suffix, true
		}
	}
	return "", false
}

// of returns the labels of a series of a process.
func (p process) of(name string, pairs ...string) labels.Labels {
	return labels.FromStrings(append(pairs, "__name__", name, "job", "orders", "instance", p.instance, "deployment_environment_name", p.environment)...)
}

// alive reports whether a scrape finds the series of a process.
func (p process) alive(t time.Time) bool { return p.at(t) != nil }

func always(time.Time) bool { return true }

// dice returns a number from 0 to 1 that depends on its arguments only.
func dice(key string, n int) float64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, key, "/", n) // never fails
	x := h.Sum64()                    // its high bits hardly depend on the last characters
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// state is what a gauge or a rate depends on.
type state struct {
	process

	scrape int
	at     time.Time
	load   float64 // requests per second
	dice   float64 // 0 to 1, of this series at this scrape
}

func (w *world) state(p process, key string, n int) state {
	at := p.time(n)
	return state{p, n, at, w.load(p, at), dice(key, n)}
}

// gauge adds a gauge.
func (w *world) gauge(p process, name string, value func(state) float64, pairs ...string) {
	w.tb.Helper()
	l := p.of(name, pairs...)
	values := make([]float64, scrapes())
	for n := range values {
		values[n] = value(w.state(p, l.String(), n))
	}
	w.add(p, l, p.alive, func(n int) float64 { return values[n] })
}

// counter adds a counter of something that is counted in grains: 1 for events.
func (w *world) counter(p process, name string, grain float64, rate func(state) float64, pairs ...string) {
	w.tb.Helper()
	l := p.of(name, pairs...)
	totals := p.totals(w.increments(p, l.String(), func(s state) float64 { return rate(s) / grain }))
	w.add(p, l, p.alive, func(n int) float64 { return totals[n] * grain })
}

// increments returns how often something happens before each scrape, since the one before or the start.
func (w *world) increments(p process, key string, rate func(state) float64) []float64 {
	out := make([]float64, scrapes())
	for n := range out {
		mean, s := 0.0, w.state(p, key, n)
		for second := range int(scrape / time.Second) {
			at := p.time(n).Add(-scrape + time.Duration(second)*time.Second)
			if !p.alive(at) {
				continue
			}
			s.at, s.load = at, w.load(p, at)
			mean += rate(s)
		}
		spread := (dice(key+" spread", n) - .5) * math.Sqrt(mean)
		out[n] = max(math.Floor(mean+spread+dice(key+" part", n)), 0)
	}
	return out
}

// totals adds increments since the start of the process.
func (p process) totals(increments []float64) []float64 {
	out, sum := make([]float64, len(increments)), 0.0
	for n, more := range increments {
		if l := p.at(p.time(n)); l == nil || !p.alive(p.time(n).Add(-scrape)) || l != p.at(p.time(n).Add(-scrape)) {
			sum = 0
		}
		sum += more
		out[n] = sum
	}
	return out
}

// histogram adds a classic histogram. Draw returns the value of an event for a number from 0 to 1.
func (w *world) histogram(p process, name string, bounds, increments []float64, draw func(at time.Time, share float64) float64, pairs ...string) {
	w.tb.Helper()
	key := p.of(name, pairs...).String()
	buckets, sums := make([][]float64, len(bounds)+1), make([]float64, len(increments))
	series := make([]labels.Labels, len(buckets))
	for i := range buckets {
		le := "+Inf"
		if i < len(bounds) {
			le = bound(bounds[i])
		}
		buckets[i], series[i] = make([]float64, len(increments)), p.of(name+"_bucket", append(slices.Clone(pairs), "le", le)...)
	}
	event := 0
	for n, events := range increments {
		for range int(events) {
			event++
			value := draw(p.time(n), dice(key, event))
			i := sort.SearchFloat64s(bounds, value)
			sums[n] += value
			for j := i; j < len(buckets); j++ {
				buckets[j][n]++
			}
			if !strings.HasPrefix(name, "go_") {
				w.exemplar(p, series[i], n, dice(key+" sampled", event), value)
			}
		}
	}
	for i := range buckets {
		totals := p.totals(buckets[i])
		w.add(p, series[i], p.alive, func(n int) float64 { return totals[n] })
	}
	count, sum := p.totals(increments), p.totals(sums)
	w.add(p, p.of(name+"_count", pairs...), p.alive, func(n int) float64 { return count[n] })
	w.add(p, p.of(name+"_sum", pairs...), p.alive, func(n int) float64 { return sum[n] })
}

// bound is how Prometheus writes the bound of a bucket.
func bound(v float64) string {
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if v == math.Trunc(v) {
		text += ".0"
	}
	return text
}

// Shares of the events that are sampled as exemplars: of all, and of those longer than slow seconds, of which
// more traces are kept.
const (
	sampled     = .002
	sampledSlow = .05
	slow        = .1
)

// exemplar adds an exemplar if the event is sampled: if chance, a number from 0 to 1, is small.
func (w *world) exemplar(p process, l labels.Labels, n int, chance, value float64) {
	share := sampled
	if value > slow {
		share = sampledSlow
	}
	if chance >= share {
		return
	}
	chance /= share
	at := p.time(n).Add(-time.Duration(chance * float64(scrape)))
	id := fmt.Sprintf("%016x", uint64(chance*(1<<53)))
	trace := labels.FromStrings("trace_id", id+id, "span_id", id)
	w.exemplars = append(w.exemplars, ofSeries{l, exemplar.Exemplar{Value: value, Ts: at.UnixMilli(), HasTs: true, Labels: trace}})
}

// expose adds the exemplars until a time. A series keeps the newest only.
func (w *world) expose(until time.Time) {
	w.tb.Helper()
	n := sort.Search(len(w.exemplars), func(i int) bool { return w.exemplars[i].Ts > until.UnixMilli() })
	for _, e := range w.exemplars[:n] {
		if err := w.store.AppendExemplar(e.series, e.Exemplar); err != nil {
			w.tb.Fatal(err)
		}
	}
	w.exemplars = w.exemplars[n:]
}
