package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// labelLimit is the default limit of a label.
const labelLimit = 1000

func series(t *testing.T, g prometheus.Gatherer, metric string) []*dto.Metric {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == metric {
			return f.GetMetric()
		}
	}
	return nil
}

func overflows(t *testing.T, g prometheus.Gatherer, metric, label string) (n float64) {
	t.Helper()
	for _, m := range series(t, g, semconv.RuntimeCardinalityOverflow) {
		if m.GetLabel()[0].GetValue() == label && m.GetLabel()[1].GetValue() == metric {
			n += m.GetCounter().GetValue()
		}
	}
	return n
}

// Every way to create a child respects the limit. Further values go into one series that is
// counted and logged once.
func TestEveryWayToCreateAChildIsLimited(t *testing.T) {
	t.Parallel()
	type counter = *prometheus.CounterVec
	ways := map[string]func(t *testing.T, c counter, value string){
		"WithLabelValues": func(_ *testing.T, c counter, value string) { c.WithLabelValues("web", value).Inc() },
		"With": func(_ *testing.T, c counter, value string) {
			c.With(prometheus.Labels{"channel": "web", "tenant": value}).Inc()
		},
		"GetMetricWithLabelValues": func(t *testing.T, c counter, value string) {
			m, err := c.GetMetricWithLabelValues("web", value)
			if err != nil {
				t.Fatal(err)
			}
			m.Inc()
		},
		"GetMetricWith": func(t *testing.T, c counter, value string) {
			m, err := c.GetMetricWith(prometheus.Labels{"channel": "web", "tenant": value})
			if err != nil {
				t.Fatal(err)
			}
			m.Inc()
		},
		"CurryWith the label": func(t *testing.T, c counter, value string) {
			curried, err := c.CurryWith(prometheus.Labels{"tenant": value})
			if err != nil {
				t.Fatal(err)
			}
			curried.WithLabelValues("web").Inc()
		},
		"CurryWith another label": func(_ *testing.T, c counter, value string) {
			c.MustCurryWith(prometheus.Labels{"channel": "web"}).WithLabelValues(value).Inc()
		},
		"MetricVec": func(t *testing.T, c counter, value string) {
			m, err := c.MetricVec.GetMetricWithLabelValues("web", value)
			if err != nil {
				t.Fatal(err)
			}
			m.(prometheus.Counter).Inc()
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel, log := newTelemetry(t)
			c, err := tel.Metrics().Counter("orders_placed_total", "Orders placed.", "channel", "tenant")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 * labelLimit {
				way(t, c, "tenant-"+strconv.Itoa(i))
			}
			way(t, c, "tenant-0") // is known
			all := series(t, tel.Metrics(), "orders_placed_total")
			if len(all) != labelLimit+1 {
				t.Errorf("%d series, want %d", len(all), labelLimit+1)
			}
			total, beyond := 0.0, 0.0
			for _, m := range all {
				total += m.GetCounter().GetValue()
				if m.GetLabel()[1].GetValue() == semconv.OverflowValue {
					beyond = m.GetCounter().GetValue()
				}
			}
			if total != 3*labelLimit+1 || beyond != 2*labelLimit {
				t.Errorf("%v counted, %v of it beyond the limit", total, beyond)
			}
			if got := overflows(t, tel.Metrics(), "orders_placed_total", "tenant"); got != 2*labelLimit {
				t.Errorf("%v overflows counted, want %d", got, 2*labelLimit)
			}
			warned := warnings(t, log)
			if len(warned) != 1 || warned[0]["metric"] != "orders_placed_total" || warned[0]["label"] != "tenant" {
				t.Errorf("warnings %v", warned)
			}
		})
	}
}

func newTelemetry(t *testing.T) (*telemetry.Telemetry, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: &log})
	if err != nil {
		t.Fatal(err)
	}
	return tel, &log
}

func warnings(t *testing.T, log *bytes.Buffer) (found []map[string]any) {
	t.Helper()
	for _, line := range lines(t, log) {
		if line["level"] == "WARN" {
			found = append(found, line)
		}
	}
	return found
}

func TestGaugesAndHistogramsAreGuardedToo(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	gauge, err := r.Gauge("queue_depth", "Depth.", "queue")
	if err != nil {
		t.Fatal(err)
	}
	histogram, err := r.Histogram("wait_seconds", "Wait.", []float64{1}, "queue")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * labelLimit {
		gauge.WithLabelValues(strconv.Itoa(i)).Set(1)
		histogram.WithLabelValues(strconv.Itoa(i)).Observe(1)
	}
	for _, metric := range []string{"queue_depth", "wait_seconds"} {
		if got := len(series(t, r, metric)); got != labelLimit+1 {
			t.Errorf("%s has %d series", metric, got)
		}
		if got := overflows(t, r, metric, "queue"); got != labelLimit {
			t.Errorf("%s overflowed %v times", metric, got)
		}
	}
}

// Values that are invalid or too long neither panic nor become series.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	c, err := r.Counter("visits_total", "Visits.", "page")
	if err != nil {
		t.Fatal(err)
	}
	for _, hostile := range []string{"\xff\xfe", "caf\xe9", strings.Repeat("x", 257), strings.Repeat("x", 1<<20)} {
		c.WithLabelValues(hostile).Inc()
	}
	c.WithLabelValues("").Inc()
	c.WithLabelValues(strings.Repeat("y", 256)).Inc()
	c.WithLabelValues(semconv.OverflowValue).Inc() // counted by the caller
	if got := len(series(t, r, "visits_total")); got != 3 {
		t.Errorf("%d series, want the empty one, the long one and the overflow", got)
	}
	if got := overflows(t, r, "visits_total", "page"); got != 4 {
		t.Errorf("%v overflows, want 4", got)
	}
}

func TestSetLabelLimit(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	c, err := r.Counter("visits_total", "Visits.", "page")
	if err != nil {
		t.Fatal(err)
	}
	visit := func(pages int) int {
		for i := range pages {
			c.WithLabelValues(strconv.Itoa(i)).Inc()
		}
		return len(series(t, r, "visits_total"))
	}
	for _, step := range []struct{ labelLimit, pages, want int }{
		{10, 30, 11}, // and the overflow
		{20, 30, 21}, // more values are known
		{5, 30, 21},  // known values stay known
		{40, 30, 31}, // all 30, and the overflow from before
	} {
		r.SetLabelLimit(step.labelLimit)
		if got := visit(step.pages); got != step.want {
			t.Errorf("limit %d: %d series, want %d", step.labelLimit, got, step.want)
		}
	}
}

// The highest limit does not overflow integers: a scrape omits nothing.
func TestHighestLabelLimit(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	r.SetLabelLimit(math.MaxInt)
	c, err := r.Counter("visits_total", "Visits.", "page")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Register(&foreign{made: 3}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * labelLimit {
		if i%labelLimit == 0 { // labels collapse during a scrape
			series(t, r, "visits_total")
		}
		c.WithLabelValues(strconv.Itoa(i)).Inc()
	}
	if got := len(series(t, r, "visits_total")); got != 2*labelLimit {
		t.Errorf("%d series, want %d", got, 2*labelLimit)
	}
	if got := len(series(t, r, "library_calls_total")); got != 3 {
		t.Errorf("%d series of the collector, want 3", got)
	}
}

// Labels below their limit whose product exceeds the limit of series: the widest label collapses.
func TestCombinationsAreLimited(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	r.SetLabelLimit(50) // and 20 times as many series
	c, err := r.Counter("visits_total", "Visits.", "city", "page", "plan")
	if err != nil {
		t.Fatal(err)
	}
	attack := func() int {
		for city := range 50 {
			for page := range 40 {
				for plan := range 2 {
					c.WithLabelValues(strconv.Itoa(city), strconv.Itoa(page), strconv.Itoa(plan)).Inc()
				}
			}
		}
		return len(series(t, r, "visits_total"))
	}
	first := attack() // the next scrape collapses a label
	second := attack()
	third := attack()
	if first != 4000 || second > first+40*2 || third > second+2 {
		t.Errorf("the series grew: %d, %d, %d", first, second, third)
	}
	if got := overflows(t, r, "visits_total", "city"); got < 4000 {
		t.Errorf("the widest label overflowed %v times", got)
	}
}

// Existing series do not cause another label to collapse: a rule by status must keep working if
// there are too many tenants.
func TestOneLabelCollapsesIfThatIsEnough(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	r.SetLabelLimit(50) // and 20 times as many series
	c, err := r.Counter("requests_total", "Requests.", "route", "status", "tenant")
	if err != nil {
		t.Fatal(err)
	}
	serve := func(routes int) {
		for tenant := range 50 {
			for route := range routes {
				c.WithLabelValues(strconv.Itoa(route), "200", strconv.Itoa(tenant)).Inc()
			}
		}
	}
	serve(30)
	var scrapers sync.WaitGroup
	for range 4 {
		scrapers.Go(func() { series(t, r, "requests_total") })
	}
	scrapers.Wait()
	serve(30)
	series(t, r, "requests_total")
	serve(30)
	if got := overflows(t, r, "requests_total", "tenant"); got != 1+2*50*30 {
		t.Errorf("the widest label overflowed %v times, want %d", got, 1+2*50*30)
	}
	for _, label := range []string{"route", "status"} {
		if got := overflows(t, r, "requests_total", label); got != 0 {
			t.Errorf("%s overflowed %v times although the series had stopped growing", label, got)
		}
	}
}

// External collectors cannot be limited where their series are created. Series beyond the limit
// are omitted from the scrape and counted.
type foreign struct{ made int }

func (f *foreign) Describe(ch chan<- *prometheus.Desc) { ch <- f.desc() }

func (*foreign) desc() *prometheus.Desc {
	return prometheus.NewDesc("library_calls_total", "Calls.", []string{"peer", "kind"}, nil)
}

func (f *foreign) Collect(ch chan<- prometheus.Metric) {
	for i := range f.made {
		ch <- prometheus.MustNewConstMetric(f.desc(), prometheus.CounterValue, 1, strconv.Itoa(i), "read")
	}
}

func TestExternalCollectorsAreLimited(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("")
	r.SetLabelLimit(10)
	c := &foreign{made: 1}
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	c.made = 500
	if got := len(series(t, r, "library_calls_total")); got != 200 {
		t.Errorf("%d series, want 20 times the limit", got)
	}
	if got := overflows(t, r, "library_calls_total", "peer"); got < 300 {
		t.Errorf("%v omitted, want 300 per scrape", got)
	}
}

// Every label has a zero, so that the first overflow is an increase.
func TestOverflowsStartAtZero(t *testing.T) {
	t.Parallel()
	tel, _ := newTelemetry(t)
	if _, err := tel.Metrics().Gauge("queue_depth", "Depth.", "queue"); err != nil {
		t.Fatal(err)
	}
	zeros := map[string]bool{}
	for _, m := range series(t, tel.Metrics(), semconv.RuntimeCardinalityOverflow) {
		if m.GetCounter().GetValue() == 0 {
			zeros[m.GetLabel()[1].GetValue()+" "+m.GetLabel()[0].GetValue()] = true
		}
	}
	for _, want := range []string{"queue_depth queue", semconv.RuntimeTelemetryDropped + " " + semconv.LabelReason} {
		if !zeros[want] {
			t.Errorf("%s has no zero; there are %v", want, zeros)
		}
	}
}

func TestTheGuardInParallel(t *testing.T) {
	t.Parallel()
	tel, log := newTelemetry(t)
	c, err := tel.Metrics().Counter("visits_total", "Visits.", "page")
	if err != nil {
		t.Fatal(err)
	}
	const visitors, visits = 8, 2000
	var all sync.WaitGroup
	for v := range visitors {
		all.Go(func() {
			for i := range visits {
				c.WithLabelValues(fmt.Sprint(v, "-", i)).Inc()
			}
		})
	}
	all.Wait()
	if got := len(series(t, tel.Metrics(), "visits_total")); got != labelLimit+1 {
		t.Errorf("%d series", got)
	}
	if got := overflows(t, tel.Metrics(), "visits_total", "page"); got != visitors*visits-labelLimit {
		t.Errorf("%v overflows, want %d", got, visitors*visits-labelLimit)
	}
	if got := len(warnings(t, log)); got != 1 {
		t.Errorf("%d warnings", got)
	}
}

// A kept child costs nothing; looking one up costs one allocation.
func TestTheGuardAllocatesNoMore(t *testing.T) { //nolint:paralleltest // counts the allocations of the whole process
	r := telemetry.NewRegistry("")
	c, err := r.Counter("visits_total", "Visits.", "page", "kind")
	if err != nil {
		t.Fatal(err)
	}
	kept := c.WithLabelValues("front", "human")
	if got := testing.AllocsPerRun(100, kept.Inc); got != 0 {
		t.Errorf("%v allocations with a kept child", got)
	}
	r.SetLabelLimit(1)
	for _, page := range []string{"front", "beyond the limit"} {
		if got := testing.AllocsPerRun(100, func() { c.WithLabelValues(page, "human").Inc() }); got > 1 {
			t.Errorf("%v allocations to look up %q", got, page)
		}
	}
}

// Rules and dashboards may query the overflow of every service.
func TestDeclarationsIncludeTheOverflow(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	declared, err := json.Marshal(tel.Metrics().Declarations())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(declared, []byte(semconv.RuntimeCardinalityOverflow)) {
		t.Errorf("the declared metrics lack %s", semconv.RuntimeCardinalityOverflow)
	}
}
