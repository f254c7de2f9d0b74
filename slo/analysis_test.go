package slo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/runtime/rollout"
	"github.com/observability-first/scaffold/slo"
)

const analysisSpec = `apiVersion: scaffold.slo/v1
service: orders
owner: team-a
runtime: true
slos:
  - {name: availability, objective: 99.9, indicator: {availability: {}}}
  - {name: latency, objective: 99, indicator: {latency: {threshold: 200ms}}}
`

func analysisOf(t *testing.T, text string) rollout.Analysis {
	t.Helper()
	s, err := slo.Parse("x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := slo.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return rules.RolloutAnalysis()
}

// readAnalysis returns the analysis as the runtime reads it.
func readAnalysis(t *testing.T, a rollout.Analysis) rollout.Analysis {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	read, err := rollout.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return read
}

// Objectives with pages are analyzed, with the burn rate of the first page.
func TestAnalysisFollowsTheObjectives(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ slos, thresholds, skipped string }{
		"99.9":                      {"{name: a, objective: 99.9, indicator: {availability: {}}}", "0.0144", ""},
		"99.5":                      {"{name: a, objective: 99.5, indicator: {availability: {}}}", "0.072", ""},
		"seven days":                {"{name: a, objective: 99.9, window: 7d, indicator: {availability: {}}}", "0.00336", ""},
		"the second page":           {"{name: a, objective: 90, indicator: {availability: {}}}", "0.6", ""},
		"no page":                   {"{name: a, objective: 50, indicator: {availability: {}}}", "", "a: it has no page"},
		"grouped":                   {"{name: a, objective: 99, groupBy: [http_route], indicator: {availability: {}}}", "", "a: it is grouped, so it has no page"},
		"counted by a gateway":      {`{name: a, objective: 99, indicator: {ratio: {total: 'routed_total{job="gateway"}', bad: 'routed_total{job="gateway",code=~"5.."}'}}}`, "", "label job"},
		"counted by the service":    {`{name: a, objective: 99, indicator: {ratio: {total: 'orders_total', bad: 'orders_total{state="lost"}'}}}`, "0.144", ""},
		"timed by a histogram":      {`{name: a, objective: 99, indicator: {latency: {threshold: 1s, histogram: checkout_seconds}}}`, "0.144", ""},
		"two, one of them analyzed": {"{name: a, objective: 99.9, indicator: {availability: {}}}\n  - {name: b, objective: 50, indicator: {availability: {}}}", "0.0144", "b: it has no page"},
	} {
		a := analysisOf(t, "apiVersion: scaffold.slo/v1\nservice: orders\nowner: a\nslos:\n  - "+tt.slos+"\n")
		var thresholds []string
		for _, o := range a.Objectives {
			thresholds = append(thresholds, strconv.FormatFloat(o.Threshold, 'g', -1, 64))
		}
		if got := strings.Join(thresholds, " "); got != tt.thresholds || !strings.Contains(strings.Join(a.Skipped, " "), tt.skipped) || (tt.skipped == "") != (len(a.Skipped) == 0) {
			t.Errorf("%s: thresholds %q, skipped %q", name, got, a.Skipped)
		}
		readAnalysis(t, a)
	}
}

// world is a Prometheus with scraped samples, and a clock that the analysis advances.
type world struct {
	t     *testing.T
	store *metricstore.Store
	now   time.Time
}

const scrape = 15 * time.Second

// begin is the end of the rollout, at which the analysis begins.
func begin() time.Time { return time.Unix(1_800_000_000, 0).UTC() }

// process is an instance that is scraped from start to end, relative to the start of the
// analysis.
type process struct {
	instance, version, environment string
	cluster                        string
	start, end                     time.Duration
	offset                         time.Duration // of its scrapes
	// requests, failed and slow are counter values at a time; nil means 0.
	requests, failed, slow func(since time.Duration) float64
	restart                time.Duration // when its counters begin again; 0: never
	noHistogram, noBucket  bool
}

func (w *world) scrape(p process) {
	w.t.Helper()
	if p.environment == "" {
		p.environment = "prod"
	}
	count := func(f func(time.Duration) float64, at time.Duration) float64 {
		if f == nil {
			return 0
		}
		if p.restart > 0 && at >= p.restart {
			return f(at-p.start) - f(p.restart-p.start)
		}
		return f(at - p.start)
	}
	series := func(name string, more ...string) labels.Labels {
		if p.cluster != "" {
			more = append(slices.Clip(more), "cluster", p.cluster)
		}
		return labels.FromStrings(append([]string{"__name__", name, "job", "orders", "instance", p.instance, "deployment_environment_name", p.environment}, more...)...)
	}
	request := func(outcome string) labels.Labels {
		return series("http_server_routed_requests_total", "outcome", outcome)
	}
	timed := []string{"outcome", "success"}
	last := map[string]labels.Labels{}
	write := func(l labels.Labels, at time.Duration, v float64) {
		if err := w.store.Append(l, begin().Add(at).UnixMilli(), v); err != nil {
			w.t.Fatal(err)
		}
		last[l.String()] = l
	}
	at := p.start + p.offset
	for ; at <= p.end; at += scrape {
		all, failed, slow := count(p.requests, at), count(p.failed, at), count(p.slow, at)
		write(series("build_info", "version", p.version, "revision", "r"), at, 1)
		write(request("success"), at, all-failed)
		write(request("server_error"), at, failed)
		write(request("shed"), at, 0)
		write(request("client_error"), at, 0)
		if p.noHistogram {
			continue
		}
		write(series("http_server_routed_request_duration_seconds_count", timed...), at, all-failed)
		if !p.noBucket {
			write(series("http_server_routed_request_duration_seconds_bucket", append(timed, "le", "0.2")...), at, all-failed-slow)
		}
	}
	for _, l := range last {
		if err := w.store.MarkStale(l, begin().Add(at).UnixMilli()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) Now() time.Time { return w.now }

func (w *world) Wait(ctx context.Context, d time.Duration) error {
	w.now = w.now.Add(d)
	return ctx.Err()
}

// serve implements the query API of Prometheus.
func (w *world) serve() string {
	lab, err := rulesim.New(w.store, nil, rulesim.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		vector, err := lab.Query(r.Context(), r.PostFormValue("query"), w.now)
		if err != nil {
			out.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprintf(out, `{"status":"error","errorType":"execution","error":%q}`, err)
			return
		}
		var samples []string
		for _, s := range vector {
			samples = append(samples, fmt.Sprintf(`{"metric":{},"value":[%d,%q]}`, w.now.Unix(), strconv.FormatFloat(s.F, 'f', -1, 64)))
		}
		fmt.Fprintf(out, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, strings.Join(samples, ","))
	}))
	w.t.Cleanup(server.Close)
	return server.URL
}

// each returns a counter with a constant rate per second.
func each(perSecond float64) func(time.Duration) float64 {
	return func(since time.Duration) float64 { return float64(int(perSecond * since.Seconds())) }
}

// pods returns three instances of one version, scraped five seconds apart.
func pods(version string, start, end time.Duration, change func(*process)) []process {
	var out []process
	for i := range 3 {
		p := process{
			instance: fmt.Sprintf("10.0.%s.%d:9464", strings.TrimLeft(version, "v"), i), version: version, start: start, end: end,
			offset: time.Duration(i) * 5 * time.Second, requests: each(2),
		}
		change(&p)
		out = append(out, p)
	}
	return out
}

// Evaluates the queries with the engine of Prometheus, on samples of a rollout.
func TestAnalysisWithPrometheus(t *testing.T) {
	t.Parallel()
	const (
		whole = 10 * time.Minute
		end   = time.Hour
	)
	good := func(*process) {}
	fresh := func(change func(*process)) []process { return pods("v2", -time.Minute, end, change) }
	for name, tt := range map[string]struct {
		processes []process
		want      rollout.Result
		says      string
		takes     time.Duration
	}{
		// 600 s at 2 per second in three instances.
		"good":                            {fresh(good), rollout.Passed, "3 instances; availability: 0 of 3600 events bad; latency: 0 of 3600", whole},
		"failing":                         {fresh(func(p *process) { p.failed = each(0.2) }), rollout.Failed, "availability keeps failing", time.Minute},
		"failing below the threshold":     {fresh(func(p *process) { p.failed = each(0.02) }), rollout.Passed, "availability: 36 of 3600", whole},
		"failing above the threshold":     {fresh(func(p *process) { p.failed = each(0.05) }), rollout.Failed, "availability keeps failing", time.Minute},
		"slow":                            {fresh(func(p *process) { p.slow = each(1) }), rollout.Failed, "latency keeps failing", time.Minute},
		"failed only before the analysis": {fresh(func(p *process) { p.failed = func(time.Duration) float64 { return 60 } }), rollout.Passed, "availability: 0 of", whole},
		"an old version that fails":       {append(fresh(good), pods("v1", -end, time.Minute, func(p *process) { p.failed = each(2) })...), rollout.Passed, "3 instances; availability: 0 of 3600", whole},
		"another environment that fails":  {append(fresh(good), pods("v2", -end, end, func(p *process) { p.environment, p.instance, p.failed = "staging", "s"+p.instance, each(2) })...), rollout.Passed, "3 instances; availability: 0 of 3600", whole},
		"no rollout, only history":        {pods("v2", -end, end, func(p *process) { p.failed = func(s time.Duration) float64 { return min(1000, s.Seconds()) } }), rollout.Passed, "availability: 0 of 3600", whole},
		"no traffic":                      {fresh(func(p *process) { p.requests = nil }), rollout.Inconclusive, "no requests reached the new version (3 instances)", whole},
		"no instance of the version":      {pods("v1", -end, end, good), rollout.Inconclusive, "no instance of version v2", whole},
		"no bucket at the threshold":      {fresh(func(p *process) { p.noBucket = true }), rollout.Inconclusive, "latency: no data", whole},
		"all requests fail":               {fresh(func(p *process) { p.failed = p.requests }), rollout.Failed, "latency: 0 of 0", time.Minute},
		// An instance starts during the analysis and fails before its first scrape, which
		// increase() does not count.
		"failures before the first scrape": {
			append(fresh(good), process{instance: "late", version: "v2", start: whole - scrape, end: end, requests: each(2), failed: func(time.Duration) float64 { return 70 }}),
			rollout.Failed, "4 instances; availability: 70 of 3", whole,
		},
		// Events before a counter reset still count.
		"restarted instances": {
			fresh(func(p *process) {
				p.restart, p.failed = 8*time.Minute, func(s time.Duration) float64 { return max(0, min(5, s.Seconds()-300)) }
			}),
			rollout.Passed, "availability: 15 of 3", whole,
		},
		"a stopped instance": {
			append(fresh(good), process{instance: "gone", version: "v2", start: 7 * time.Minute, end: 8 * time.Minute, requests: each(2), failed: func(s time.Duration) float64 { return min(20, s.Seconds()) }}),
			rollout.Passed, "4 instances; availability: 2", whole,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, store: metricstore.New(), now: begin()}
			for _, p := range tt.processes {
				w.scrape(p)
			}
			var log strings.Builder
			runner := rollout.Runner{
				Analysis: readAnalysis(t, analysisOf(t, analysisSpec)), Environment: "prod", Version: "v2", Duration: whole, Interval: 30 * time.Second,
				MinRequests: rollout.MinRequests, Querier: rollout.Prometheus{URL: w.serve()}, Clock: w, Log: &log,
			}
			got, reason := runner.Run(t.Context())
			if took := w.now.Sub(begin()); got != tt.want || !strings.Contains(reason, tt.says) || took != tt.takes {
				t.Errorf("%v after %s: %s; want %v after %s: %s\n%s", got, took, reason, tt.want, tt.takes, tt.says, &log)
			}
		})
	}
}

// Names of versions and environments are quoted in queries.
func TestAnalysisQueriesQuoteValues(t *testing.T) {
	t.Parallel()
	w := &world{t: t, store: metricstore.New(), now: begin()}
	runner := rollout.Runner{
		Analysis: readAnalysis(t, analysisOf(t, analysisSpec)), Environment: `prod"}) or vector(1) #`, Version: `v2"} or vector(100) or x{y="`, Duration: time.Minute,
		Interval: 30 * time.Second, MinRequests: 1, Querier: rollout.Prometheus{URL: w.serve()}, Clock: w, Log: io.Discard,
	}
	if err := runner.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if got, reason := runner.Run(t.Context()); got != rollout.Inconclusive || !strings.Contains(reason, "no instance") {
		t.Errorf("%v: %s", got, reason)
	}
}

// Clusters of one environment are analyzed separately, even if their instances have the same
// addresses and version.
func TestAnalysisByCluster(t *testing.T) {
	t.Parallel()
	for labels, want := range map[string]rollout.Result{
		"cluster=eu-1": rollout.Passed, "cluster=us-1": rollout.Failed, "cluster=ap-1": rollout.Inconclusive,
	} {
		t.Run(labels, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, store: metricstore.New(), now: begin()}
			for _, p := range pods("v2", -time.Minute, time.Hour, func(p *process) { p.cluster = "eu-1" }) {
				w.scrape(p)
			}
			for _, p := range pods("v2", -time.Minute, time.Hour, func(p *process) { p.cluster, p.failed = "us-1", each(0.2) }) {
				w.scrape(p)
			}
			analysis := readAnalysis(t, analysisOf(t, analysisSpec+"groupBy: [cluster]\n"))
			values, err := analysis.ParseLabels(labels)
			if err != nil {
				t.Fatal(err)
			}
			runner := rollout.Runner{
				Analysis: analysis, Environment: "prod", Version: "v2", Labels: values, Duration: 10 * time.Minute,
				Interval: 30 * time.Second, MinRequests: rollout.MinRequests, Querier: rollout.Prometheus{URL: w.serve()}, Clock: w, Log: io.Discard,
			}
			if got, reason := runner.Run(t.Context()); got != want {
				t.Errorf("%v: %s; want %v", got, reason, want)
			}
		})
	}
}
