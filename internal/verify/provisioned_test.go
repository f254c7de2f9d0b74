package verify

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlpcommon "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/runtime/servicetest"
	"github.com/observability-first/scaffold/slo"
)

func post(t *testing.T, address, contentType string, body io.Reader) {
	t.Helper()
	res, err := http.Post(address, contentType, body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d", res.StatusCode)
	}
}

func stringValue(text string) *otlpcommon.AnyValue {
	return &otlpcommon.AnyValue{Value: &otlpcommon.AnyValue_StringValue{StringValue: text}}
}

// export sends a span of the service shop to a receiver.
func export(t *testing.T, r *servicetest.Receiver, name, trace, span, parent string, attributes map[string]string) {
	t.Helper()
	s := &tracepb.Span{Name: name, TraceId: []byte(trace), SpanId: []byte(span), ParentSpanId: []byte(parent)}
	for key, value := range attributes {
		s.Attributes = append(s.Attributes, &otlpcommon.KeyValue{Key: key, Value: stringValue(value)})
	}
	body, err := proto.Marshal(&collectortrace.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resource.Resource{Attributes: []*otlpcommon.KeyValue{{Key: "service.name", Value: stringValue("shop")}}},
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{s}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	post(t, r.URL+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
}

// cpuProfile returns a profile with one sample of the span.
func cpuProfile(span string) *profile.Profile {
	return &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		Sample:     []*profile.Sample{{Value: []int64{1, 10}, Label: map[string][]string{"span_id": {span}}}},
	}
}

// uploadProfile sends a profile under the name of an application.
func uploadProfile(t *testing.T, r *servicetest.Receiver, name string, p *profile.Profile) {
	t.Helper()
	var data bytes.Buffer
	if err := p.Write(&data); err != nil {
		t.Fatal(err)
	}
	uploadBytes(t, r, name, data.Bytes())
}

func uploadBytes(t *testing.T, r *servicetest.Receiver, name string, data []byte) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("profile", "profile.pprof")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(data)
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	post(t, r.URL+"/ingest?"+url.Values{"name": {name}}.Encode(), form.FormDataContentType(), &body)
}

func TestScrapeIntervalMustBeTheDeclaredOne(t *testing.T) {
	t.Parallel()
	const claim = "observability/stack/prometheus.yaml: the scrape interval is the declared one: "
	const advice = ", but the rules are for 15s; set telemetry.scrapeInterval to the interval of the scraper and run scaffold generate"
	for name, tc := range map[string]struct{ config, want string }{
		"the job's interval is correct":  {"scrape_configs: [{job_name: shop, scrape_interval: 15s}]", "passed: 15s"},
		"the global interval is correct": {"global: {scrape_interval: 15s}\nscrape_configs: [{job_name: shop}]", "passed: 15s"},
		"another job may have another":   {"scrape_configs: [{job_name: node, scrape_interval: 1m}, {job_name: shop, scrape_interval: 15s}]", "passed: 15s"},
		"the job's interval is wrong":    {"global: {scrape_interval: 15s}\nscrape_configs: [{job_name: shop, scrape_interval: 1m}]", "failed: job shop is scraped every 1m0s" + advice},
		"the global interval is wrong":   {"global: {scrape_interval: 30s}\nscrape_configs: [{job_name: shop}]", "failed: job shop is scraped every 30s" + advice},
		"the service's job is missing":   {"scrape_configs: [{job_name: node}, {job_name: depot}]", "failed: no job is named shop; available: node, depot"},
		"an interval is not a duration":  {"global: {scrape_interval: soon}\nscrape_configs: []", "failed: not a valid duration string: \"soon\""},
		"the file is of another kind":    {"apiVersion: v1\nkind: Pod\n", "failed: unexpected format: no line begins with \"scrape_configs:\" or \"global:\"; add it, or pass another file"},
		"the service has no such file":   {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &session{subject: Subject{ScrapeInterval: 15 * time.Second, Selector: map[string]string{"job": "shop"}}}
			if tc.config != "" {
				s.subject.Provisioned.Prometheus = []byte(tc.config)
			}
			s.scrapeInterval()
			got := strings.Join(checksOf(s), "\n")
			if tc.want != "" && got != claim+tc.want || tc.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPushedMetricsNeedNoScrapeJob(t *testing.T) {
	t.Parallel()
	for metrics, want := range map[string]int{slo.MetricsPush: 0, slo.MetricsScrape: 1} {
		s := &session{}
		s.subject.describe(slo.Rules{Spec: slo.Spec{Service: "shop", Metrics: metrics}.WithDefaults()})
		s.subject.Provisioned.Prometheus = []byte("global: {scrape_interval: 15s}\n")
		s.scrapeInterval()
		if got := checksOf(s); len(got) != want {
			t.Errorf("metrics: %s: got %q, want %d checks", metrics, got, want)
		}
	}
}

func TestTargetKeepsTheHistogramsThatPrometheusKeeps(t *testing.T) {
	t.Parallel()
	both, native, classic := metricstore.Target{}, metricstore.Target{DropClassic: true}, metricstore.Target{DropNative: true}
	for config, want := range map[string]metricstore.Target{
		"scrape_configs: [{job_name: shop, scrape_native_histograms: true}]":                                                   native,
		"scrape_configs: [{job_name: shop, scrape_native_histograms: true, always_scrape_classic_histograms: false}]":          native,
		"scrape_configs: [{job_name: shop, scrape_native_histograms: true, always_scrape_classic_histograms: true}]":           both,
		"global: {scrape_native_histograms: true}\nscrape_configs: [{job_name: shop}]":                                         native,
		"global: {always_scrape_classic_histograms: true}\nscrape_configs: [{job_name: shop, scrape_native_histograms: true}]": both,
		"global: {scrape_native_histograms: true}\nscrape_configs: [{job_name: shop, scrape_native_histograms: false}]":        {DropNative: true, DropClassic: true},
		"scrape_configs: [{job_name: shop, scrape_native_histograms: false, always_scrape_classic_histograms: true}]":          classic,
		"scrape_configs: [{job_name: depot, scrape_native_histograms: true}]":                                                  both,
		"": both,
	} {
		s := &session{subject: Subject{Selector: map[string]string{"job": "shop"}}}
		s.subject.Provisioned.Prometheus = []byte(config)
		if got := s.target(&child{admin: "http://127.0.0.1:80"}); got.Labels.Get("instance") != "127.0.0.1:80" || got.DropNative != want.DropNative || got.DropClassic != want.DropClassic {
			t.Errorf("%s: got %+v", config, got)
		}
	}
}

const shopSources = `apiVersion: 1
datasources:
  - uid: metrics
    jsonData:
      exemplarTraceIdDestinations: [{name: trace_id, datasourceUid: traces}]
  - uid: traces
    jsonData:
      tracesToLogsV2: {datasourceUid: logs, query: '{$${__tags}} | json trace="trace_id" | trace="$${__trace.traceId}"'}
      tracesToProfiles: {datasourceUid: profiles, profileTypeId: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds'}
      tracesToMetrics: {datasourceUid: metrics, queries: [{name: Requests, query: 'sum(rate(http_server_requests_total{$$__tags}[$$__rate_interval]))'}]}
  - uid: logs
    jsonData:
      derivedFields: [{matcherRegex: trace, datasourceUid: traces}]
  - uid: profiles
`

// linkedSession returns a session that has seen one request in all signals.
func linkedSession(t *testing.T, sources string) *session {
	t.Helper()
	const duration = `http_server_request_duration_seconds_bucket{http_route="/things",le="1"}`
	r := servicetest.NewReceiver(t)
	export(t, r, "work", "0123456789abcdef", "00000000", "", nil)
	export(t, r, "GET /things", "0123456789abcdef", "01234567", "", map[string]string{"http.route": "/things"})
	uploadProfile(t, r, "shop", cpuProfile("3031323334353637"))
	p := proberOf(t, map[string]float64{`http_server_requests_total{http_route="/things"}`: 1, duration: 1})
	err := p.watch.store.AppendExemplar(parseSeries(t, duration), exemplar.Exemplar{Labels: labels.FromStrings("trace_id", "30"), Ts: scrapedAt().UnixMilli(), HasTs: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{
		subject:  Subject{Service: "shop", ScrapeInterval: 15 * time.Second},
		receiver: r, watch: p.watch, prober: p, child: &child{lines: []line{{"trace_id": "30"}}},
	}
	s.subject.Provisioned.Datasources = []byte(sources)
	s.subject.Dashboards = []dashboardfile.Dashboard{{Panels: []dashboardfile.Panel{{Targets: []dashboardfile.Target{
		{Datasource: dashboardfile.Datasource{Type: "prometheus"}, Expr: `sum(x{span="7"})`},
		{Datasource: dashboardfile.Datasource{Type: "loki"}, Expr: `{service_name="shop"} | json trace="trace_id"`},
	}}}}}
	return s
}

func TestLinksBetweenSignalsHaveData(t *testing.T) {
	t.Parallel()
	s := linkedSession(t, shopSources)
	s.datasources(t.Context())
	const file = "observability/stack/datasources.yaml: "
	wantChecks(t, s,
		file+"from an exemplar to its trace: passed: by the label trace_id",
		file+"from a trace to its log lines: passed: by the field that the query extracts",
		file+"from a span to its profile: passed: uploads of cpu",
		file+"from a trace to Requests: passed: gives data",
		file+"from a log line to its trace: passed: by the label trace",
	)
}

func TestBrokenLinksBetweenSignalsAreReported(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ old, with, want string }{
		"exemplars have another label":     {"name: trace_id", "name: traceID", "from an exemplar to its trace: failed: none of 1 exemplars has the label traceID"},
		"the traces do not exist":          {"trace_id, datasourceUid: traces", "trace_id, datasourceUid: tempo", `from an exemplar to its trace: failed: data source "tempo" does not exist`},
		"the logs do not exist":            {"datasourceUid: logs", "datasourceUid: loki", `from a trace to its log lines: failed: data source "loki" does not exist`},
		"log lines lack the field":         {`json trace="trace_id"`, `json trace="traceID"`, "from a trace to its log lines: failed: no log line has the field traceID"},
		"the profiles do not exist":        {"datasourceUid: profiles", "datasourceUid: flames", `from a span to its profile: failed: data source "flames" does not exist`},
		"no profile of this type":          {"process_cpu:cpu:nanoseconds", "memory:inuse_space:bytes", "from a span to its profile: failed: no profile has inuse_space in bytes; available: samples, cpu"},
		"the metrics do not exist":         {"{datasourceUid: metrics", "{datasourceUid: prom", `from a trace to Requests: failed: data source "prom" does not exist`},
		"the query has no result":          {"http_server_requests_total", "http_server_request_total", `from a trace to Requests: failed: no data: metric http_server_request_total does not exist; did you mean "http_server_requests_total"?`},
		"no log query creates the label":   {"matcherRegex: trace,", "matcherRegex: span,", "from a log line to its trace: failed: no query of log lines makes the label span"},
		"a part of a label is not a label": {"matcherRegex: trace,", "matcherRegex: ace,", "from a log line to its trace: failed: no query of log lines makes the label ace"},
		"derived fields without a source":  {"trace, datasourceUid: traces}", "trace, datasourceUid: tempo}", `from a log line to its trace: failed: data source "tempo" does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(shopSources, tc.old, tc.with, 1)
			if changed == shopSources {
				t.Fatal("nothing changed")
			}
			s := linkedSession(t, changed)
			s.datasources(t.Context())
			if got := failures(s.checks.Report("shop", 0)); len(got) != 1 || got[0] != datasourcesFile+": "+strings.Replace(tc.want, "failed: ", "", 1) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestDataSourcesThatCannotBeReadFail(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"kind: Pod\n", "datasources: [{uid: [}\n"} {
		s := &session{}
		s.subject.Provisioned.Datasources = []byte(text)
		s.datasources(t.Context())
		if got := failures(s.checks.Report("shop", 0)); len(got) != 1 || !strings.HasPrefix(got[0], datasourcesFile+": data sources: ") {
			t.Errorf("%q: got %q", text, got)
		}
	}
	s := &session{}
	s.datasources(t.Context())
	wantChecks(t, s)
}

func TestLinksToMetricsNeedASpanWithARoute(t *testing.T) {
	t.Parallel()
	s := &session{receiver: servicetest.NewReceiver(t)}
	export(t, s.receiver, "work", "0123456789abcdef", "00000000", "", nil)
	if err := s.routeHas(t.Context(), "up"); err == nil || err.Error() != "no span has a route" {
		t.Errorf("got %v", err)
	}
}

func TestLinksToProfilesNeedAnUpload(t *testing.T) {
	t.Parallel()
	s := linkedSession(t, shopSources)
	s.receiver = servicetest.NewReceiver(t)
	s.datasources(t.Context())
	got := strings.Join(failures(s.checks.Report("shop", 0)), "\n")
	if want := datasourcesFile + ": from a span to its profile: the service pushed no profile"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
