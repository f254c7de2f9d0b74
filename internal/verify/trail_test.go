package verify

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/openapi"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

const (
	trailTrace = "30313233343536373839616263646566" // 0123456789abcdef in hexadecimal digits
	trailSpan  = "3031323334353637"
)

// trailParts are what a test changes in a request that all signals have.
type trailParts struct {
	exemplar, outcome string  // trace id of the exemplar, outcome of its series
	seconds           float64 // value of the exemplar
	parent            string
	line              line
	profiled          string // span id in the profile
	attributes        map[string]string
	service           string
}

func rightTrail() trailParts {
	return trailParts{
		exemplar: trailTrace, outcome: "success", profiled: trailSpan, service: "shop",
		attributes: map[string]string{"http.route": "/things", profileLink: trailSpan},
		line: line{
			"trace_id": trailTrace, "span_id": trailSpan, "http_route": "/things", "http_request_method": "GET", "http_response_status_code": 200.0, "outcome": "success", "sampled": true,
		},
	}
}

func trailSession(t *testing.T, parts trailParts) *session {
	t.Helper()
	series := `http_server_request_duration_seconds_bucket{http_request_method="GET",http_route="/things",http_response_status_code="200",le="1",outcome="` + parts.outcome + `"}`
	p := proberOf(t, map[string]float64{series: 1})
	if parts.exemplar != "" {
		e := exemplar.Exemplar{Labels: labels.FromStrings("trace_id", parts.exemplar), Value: parts.seconds, Ts: scrapedAt().UnixMilli(), HasTs: true}
		if err := p.watch.store.AppendExemplar(parseSeries(t, series), e); err != nil {
			t.Fatal(err)
		}
	}
	s := &session{
		subject: Subject{Service: parts.service}, receiver: servicetest.NewReceiver(t), watch: p.watch, prober: p, child: &child{lines: []line{parts.line}},
		driver: newDriver("", openapi.Document{}, nil, httpfile.File{}, 0), options: Options{TrailWithin: time.Millisecond},
	}
	export(t, s.receiver, "GET /things", "0123456789abcdef", "01234567", parts.parent, parts.attributes)
	uploadProfile(t, s.receiver, "shop", cpuProfile(parts.profiled))
	return s
}

func TestRequestIsFollowedThroughAllSignals(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*trailParts)
		want   string
	}{
		"all signals have the request":          {func(*trailParts) {}, ""},
		"no exemplar":                           {func(p *trailParts) { p.exemplar = "" }, "no bucket of http_server_request_duration_seconds for successful requests has an exemplar"},
		"an exemplar of a failure":              {func(p *trailParts) { p.outcome = "server_error" }, "no bucket of http_server_request_duration_seconds for successful requests has an exemplar"},
		"an exemplar without its trace":         {func(p *trailParts) { p.exemplar = "31" }, "the trace of no exemplar was exported"},
		"a span that has a parent":              {func(p *trailParts) { p.parent = "01234567" }, "the trace of no exemplar was exported"},
		"no line of the trace":                  {func(p *trailParts) { p.line["trace_id"] = "31" }, "no log line has the trace id " + trailTrace + " of an exported span"},
		"a line of another span":                {func(p *trailParts) { p.line["span_id"] = "31" }, "no log line has the trace id " + trailTrace + " of an exported span"},
		"a line that is not an access log line": {func(p *trailParts) { delete(p.line, "http_route") }, "no log line has the trace id " + trailTrace + " of an exported span"},
		"no profile of the span":                {func(p *trailParts) { p.profiled = "31" }, "no profile has the span of a request with an exemplar"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := rightTrail()
			tc.change(&parts)
			found, err := trailSession(t, parts).follow()
			if tc.want != "" {
				if err == nil || err.Error() != tc.want {
					t.Errorf("got %v, want %q", err, tc.want)
				}
				return
			}
			if err != nil || found.traceID != trailTrace || found.span.SpanID != trailSpan || found.profile != "cpu" || found.series.Get("http_route") != "/things" {
				t.Errorf("got %+v, %v", found, err)
			}
		})
	}
}

// A series only has its newest exemplars, and the profile of a request arrives seconds later.
func TestRequestWithALateProfileIsFollowed(t *testing.T) {
	t.Parallel()
	parts := rightTrail()
	parts.profiled = "31"
	s := trailSession(t, parts)
	if _, err := s.follow(); err == nil {
		t.Fatal("a request without a profile was followed")
	}
	series := s.exemplars()[0].SeriesLabels
	for i := range 100 {
		newer := exemplar.Exemplar{Labels: labels.FromStrings("trace_id", fmt.Sprintf("%032x", i)), Ts: scrapedAt().UnixMilli() + int64(i) + 1, HasTs: true}
		if err := s.watch.store.AppendExemplar(series, newer); err != nil {
			t.Fatal(err)
		}
	}
	uploadProfile(t, s.receiver, "shop", cpuProfile(trailSpan))
	if found, err := s.follow(); err != nil || found.traceID != trailTrace {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestSignalsMustAgreeAboutARequest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*trailParts)
		want   string
	}{
		"they agree":                 {func(*trailParts) {}, ""},
		"the route of the span":      {func(p *trailParts) { p.attributes["http.route"] = "/" }, "the route of the span is /, but /things on the metric"},
		"the route of the line":      {func(p *trailParts) { p.line["http_route"] = "/" }, "the route of the log line is /, but /things on the metric"},
		"the status of the line":     {func(p *trailParts) { p.line["http_response_status_code"] = 201.0 }, "the status of the log line is 201, but 200 on the metric"},
		"the method of the line":     {func(p *trailParts) { p.line["http_request_method"] = "PUT" }, "the method of the log line is PUT, but GET on the metric"},
		"the outcome of the line":    {func(p *trailParts) { p.line["outcome"] = "shed" }, "the outcome of the log line is shed, but success on the metric"},
		"a little less time":         {func(p *trailParts) { p.seconds = 0.9 }, ""},
		"the duration of the metric": {func(p *trailParts) { p.seconds = 1.1 }, "the metric has a duration of 1.1 s, but the span took 0 s; observe seconds"},
		"the line is not sampled":    {func(p *trailParts) { p.line["sampled"] = false }, "the log line has no sampled: true, so dashboards do not link it to its trace"},
		"the span has no profile":    {func(p *trailParts) { delete(p.attributes, profileLink) }, "the span's pyroscope.profile.id is <nil> instead of its own id, so Grafana does not find its profile"},
		"the span of another name":   {func(p *trailParts) { p.service = "depot" }, "the span is of shop, the dashboards are of depot"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := rightTrail()
			tc.change(&parts)
			s := trailSession(t, parts)
			found, err := s.follow()
			if err != nil {
				t.Fatal(err)
			}
			s.judgeTrail(found)
			want := "all signals agree about route, method, status, outcome and duration: passed: GET /things"
			if tc.want != "" {
				want = "all signals agree about route, method, status, outcome and duration: failed: " + tc.want
			}
			wantChecks(t, s, want)
		})
	}
}

func TestSpanNameIsMethodAndRoute(t *testing.T) {
	t.Parallel()
	s := trailSession(t, rightTrail())
	found, err := s.follow()
	if err != nil {
		t.Fatal(err)
	}
	found.span.Name = "GET"
	s.judgeTrail(found)
	wantChecks(t, s, "all signals agree about route, method, status, outcome and duration: failed: the name of the span is GET, but GET /things on the metric")
}

func TestTrailIsReported(t *testing.T) {
	t.Parallel()
	const claim = "a request can be followed from exemplar to span, log line and profile: "
	s := trailSession(t, rightTrail())
	if err := s.trail(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantChecks(t, s,
		claim+`passed: trace `+trailTrace+`: an exemplar of /things, the span "GET /things", its log line, a profile of cpu`,
		"all signals agree about route, method, status, outcome and duration: passed: GET /things",
	)
	missing := rightTrail()
	missing.profiled = "31"
	s = trailSession(t, missing)
	server := newRecorder(t, responds(http.StatusOK, ""))
	s.driver = newDriver(server.URL, openapi.Document{}, []string{"GET /things"}, httpfile.File{}, 0)
	if err := s.trail(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := checksOf(s); len(got) != 1 || !strings.HasPrefix(got[0], claim+"failed: no profile has the span") {
		t.Errorf("got %q", got)
	}
	if got := server.requests(); len(got) == 0 || got[0] != "GET /things cpu=30ms" {
		t.Errorf("requests %q; send requests that a CPU profile has", got)
	}
}

// One request without a log line does not hide others.
func TestRequestIsFollowedDespiteAnotherWithoutALogLine(t *testing.T) {
	t.Parallel()
	const silentTrace, silentSpan = "fedcba9876543210", "76543210"
	s := trailSession(t, rightTrail())
	e := exemplar.Exemplar{Labels: labels.FromStrings("trace_id", hex.EncodeToString([]byte(silentTrace))), Ts: scrapedAt().UnixMilli() + 1, HasTs: true}
	if err := s.watch.store.AppendExemplar(s.exemplars()[0].SeriesLabels, e); err != nil {
		t.Fatal(err)
	}
	s.receiver = servicetest.NewReceiver(t)
	export(t, s.receiver, "GET /things", silentTrace, silentSpan, "", nil)
	export(t, s.receiver, "GET /things", "0123456789abcdef", "01234567", "", nil)
	uploadProfile(t, s.receiver, "shop", cpuProfile(hex.EncodeToString([]byte(silentSpan))))
	if _, err := s.follow(); err == nil || !strings.HasPrefix(err.Error(), "no log line") {
		t.Fatalf("got %v", err)
	}
	uploadProfile(t, s.receiver, "shop", cpuProfile(trailSpan))
	if found, err := s.follow(); err != nil || found.traceID != trailTrace {
		t.Errorf("got %+v, %v", found, err)
	}
}
