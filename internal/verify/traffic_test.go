package verify

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/openapi"
	"github.com/observability-first/scaffold/runtime/declared"
)

// outcomes returns the counters of GET /things.
func outcomes(success, clientError, serverError, shed float64) map[string]float64 {
	out := map[string]float64{`http_server_requests_total{http_request_method="GET",http_route="/other",outcome="success"}`: 100}
	for outcome, n := range map[string]float64{"success": success, "client_error": clientError, "server_error": serverError, "shed": shed} {
		out[fmt.Sprintf(`http_server_requests_total{http_request_method="GET",http_route="/things",outcome=%q}`, outcome)] = n
	}
	return out
}

func TestRouteNeedsRequestsOfEveryManner(t *testing.T) {
	t.Parallel()
	const fails = "GET /things: failed: "
	missing := outcomes(5, 0, 2, 1)
	delete(missing, `http_server_requests_total{http_request_method="GET",http_route="/things",outcome="shed"}`)
	for name, tc := range map[string]struct {
		series  map[string]float64
		problem string
		wrong   bool
		want    string
	}{
		"every outcome":                  {outcomes(5, 3, 2, 1), "", true, "GET /things: passed: 5 succeeded, 3 were rejected as invalid, 2 failed and 1 were shed by fault injection"},
		"no operation can be invalid":    {outcomes(5, 0, 2, 1), "", false, "GET /things: passed: 5 succeeded, 0 were rejected as invalid, 2 failed and 1 were shed by fault injection"},
		"no success":                     {outcomes(0, 3, 2, 1), "", true, fails + "no request ended as success; add a request that does to verify.http"},
		"no success, with a last status": {outcomes(0, 3, 2, 1), "answers 404: said", true, fails + "no request ended as success; it answers 404: said; describe its parameters and body in the OpenAPI document, or add a valid request to verify.http"},
		"no server error":                {outcomes(5, 3, 0, 1), "", true, fails + "no request ended as server_error, although fault injection asked for it"},
		"no client error":                {outcomes(5, 0, 2, 1), "an invalid request gets status 200: said", true, fails + "no request ended as client_error, although an invalid request was sent: an invalid request gets status 200: said"},
		"a counter without series":       {missing, "", true, fails + "the counter http_server_requests_total has no series for the route, so its first failure would not be counted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &session{watch: watchOf(t, tc.series), driver: newDriver("", openapi.Document{}, nil, httpfile.File{}, 0)}
			if tc.problem != "" {
				s.driver.note("GET /things", tc.problem)
			}
			if tc.wrong {
				s.driver.canBeWrong("GET /things")
			}
			s.judgeRoute(t.Context(), "GET /things")
			wantChecks(t, s, tc.want)
		})
	}
}

func TestRoutesWithoutARequestHaveOneFailure(t *testing.T) {
	t.Parallel()
	routes := []string{"GET /list", "POST /things", "GET /things/{id}"}
	for name, tc := range map[string]struct{ document, file, want string }{
		"no document and no file": {`{}`, "", "requests: failed: no request can be sent to POST /things, GET /things/{id}: the service has no OpenAPI document and no verify.http; add a valid request to each route to verify.http; other failures may follow from this one"},
		"a route is missing in the document": {`{"openapi":"3.1.0","paths":{"/things":{"post":{}}}}`, "",
			"GET /things/{id}: failed: no request was sent, since the route is not in the OpenAPI document (api/openapi.json); add it there, or add a valid request to verify.http"},
		"the file has the missing request": {`{"openapi":"3.1.0","paths":{"/things":{"post":{}}}}`, "GET {{host}}/things/{{made.response.body.id}}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document, err := openapi.Parse([]byte(tc.document))
			if err != nil && tc.file+tc.document != "{}" {
				t.Fatal(err)
			}
			s := &session{document: document, driver: newDriver("http://service", document, routes, parseRequests(t, tc.file), 0)}
			s.judgeRequests(s.driver.unrequested())
			if got := strings.Join(checksOf(s), "\n"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestDurationsMustNotExceedClientWaits(t *testing.T) {
	t.Parallel()
	const claim = "durations are in seconds: "
	for total, want := range map[float64]string{
		20.9: "passed: at most ten times as long as clients waited",
		21.1: "failed: http_server_request_duration_seconds has 21.1 s of requests, but clients waited for 2 s; observe seconds",
	} {
		s := &session{watch: watchOf(t, map[string]float64{"http_server_request_duration_seconds_sum": total}), driver: newDriver("", openapi.Document{}, nil, httpfile.File{}, 0)}
		s.driver.waited.Store(int64(2 * time.Second))
		s.judgeDurations(t.Context())
		wantChecks(t, s, claim+want)
	}
}

func TestDurationsOfANativeHistogramAreCompared(t *testing.T) {
	t.Parallel()
	s := &session{watch: watchOf(t, nil), driver: newDriver("", openapi.Document{}, nil, httpfile.File{}, 0)}
	native := &histogram.FloatHistogram{Count: 3, Sum: 3}
	if err := s.watch.store.AppendHistogram(parseSeries(t, "http_server_request_duration_seconds"), scrapedAt().UnixMilli(), native); err != nil {
		t.Fatal(err)
	}
	s.judgeDurations(t.Context())
	empty := &session{watch: watchOf(t, nil), driver: s.driver}
	empty.judgeDurations(t.Context())
	wantChecks(t, empty, "durations are in seconds: failed: http_server_request_duration_seconds has no sum")
	wantChecks(t, s, "durations are in seconds: failed: http_server_request_duration_seconds has 3 s of requests, but clients waited for 0 s; observe seconds")
}

func TestNoAlertMayFireWhileHealthy(t *testing.T) {
	t.Parallel()
	const claim = "no alert fires while the service is healthy: "
	s := &session{watch: &watch{}}
	s.judgeQuiet()
	wantChecks(t, s, claim+"passed: 1h15m0s of valid and invalid requests, and no alert fires")
	f := firing("Busy", time.Minute, "alertname", "Busy")
	f.Value = 0.5
	s = &session{watch: &watch{fired: []rulesim.Firing{f}}}
	s.judgeQuiet()
	wantChecks(t, s, claim+`failed: {alertname="Busy"} fires with the value 0.5 while the service is healthy`)
}

func TestServiceWithoutRoutesFails(t *testing.T) {
	t.Parallel()
	s := &session{}
	if err := s.traffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantChecks(t, s, "routes: failed: the service declares no route to send requests to")
}

// drivenSession returns a session with a service whose metrics page has every outcome of GET /things.
func drivenSession(t *testing.T) (*session, *service) {
	t.Helper()
	document, err := openapi.Parse([]byte(`{"openapi":"3.1.0","paths":{"/undeclared":{"get":{}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	for series, n := range outcomes(5, 3, 2, 1) {
		_, _ = fmt.Fprintln(&page, series, n)
	}
	_, _ = fmt.Fprintln(&page, "http_server_request_duration_seconds_sum 0.5")
	service := newService(t, page.String())
	api := newRecorder(t, responds(http.StatusOK, "{}"))
	routes := []string{"GET /things"}
	file := parseRequests(t, "### Mine\nGET {{host}}/mine")
	return &session{
		subject: Subject{RequestsFile: RequestFile}, signals: declared.Signals{Routes: routes}, document: document, child: service.child,
		watch: service.running(t, 2*time.Hour), driver: newDriver(api.URL, document, routes, file, 0),
	}, service
}

func TestTrafficIsReported(t *testing.T) {
	t.Parallel()
	s, _ := drivenSession(t)
	if err := s.traffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantChecks(t, s,
		"verify.http:2: own request: Mine: passed: answers 200",
		"GET /undeclared matches the OpenAPI document: failed: status 200 is not documented; add it to responses",
		"no alert fires while the service is healthy: passed: 1h15m0s of valid and invalid requests, and no alert fires",
		"GET /things: passed: 5 succeeded, 3 were rejected as invalid, 2 failed and 1 were shed by fault injection",
		"durations are in seconds: passed: at most ten times as long as clients waited",
		"GET /undeclared: failed: it is in the OpenAPI document, but the service does not declare the route, so its failures are not counted; add it to the chi router or declare it with httpserver.Routes",
	)
}

func TestTrafficEndsWithTheService(t *testing.T) {
	t.Parallel()
	s, service := drivenSession(t)
	close(service.exited)
	if err := s.traffic(t.Context()); err == nil {
		t.Error("got no error")
	}
}

// The alerts need at least a fifth of the requests to be slow and a fifth to fail.
func TestBrokenMixBurnsEveryObjective(t *testing.T) {
	t.Parallel()
	counts := map[manner]int{}
	broken := brokenMix().manners
	for _, how := range broken {
		counts[how]++
	}
	if fifth := (len(broken) + 4) / 5; counts[slowly] < fifth || counts[failing] < fifth || counts[shedded] == 0 || counts[wrongly] == 0 || counts[well] == 0 {
		t.Errorf("got %v of %d", counts, len(broken))
	}
	for _, m := range []mix{healthyMix(minThink), calmMix(minThink)} {
		for _, how := range m.manners {
			if how != well && how != wrongly {
				t.Errorf("a service that is well has %q", how)
			}
		}
	}
	if max(len(healthyMix(minThink).manners), len(broken), len(calmMix(minThink).manners)) > maxIdle {
		t.Error("more callers than connections")
	}
}
