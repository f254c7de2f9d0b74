package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// prometheus serves the metadata part of the HTTP API of Prometheus below a prefix: label
// values by requested selector.
func prometheus(t *testing.T, prefix string, answers map[string][]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.Path, prefix+"/api/v1/")
		data, known := answers[strings.TrimSpace(path+" "+r.URL.Query().Get("match[]"))]
		if !ok || r.URL.Query().Get("start") == "" {
			http.NotFound(w, r)
			return
		}
		if !known {
			data = []string{}
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": data}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + prefix
}

const shopObjectives = `apiVersion: scaffold.slo/v1
service: shop
slos:
- {name: a, objective: 99, indicator: {ratio: {total: requests_total, bad: 'requests_total{code="500"}'}}}
- {name: b, objective: 99, groupBy: [queue], indicator: {latency: {threshold: 250ms, histogram: wait_seconds}}}
`

func TestObjectivesAreComparedWithPrometheus(t *testing.T) {
	t.Parallel()
	answers := map[string][]string{
		"label/__name__/values":                    {"requests_total", "wait_seconds_bucket", "wait_seconds_count", "wait_seconds_sum", "up"},
		"labels requests_total":                    {"__name__", "code", "job", "instance"},
		"labels wait_seconds_bucket":               {"__name__", "le", "queue", "job", "instance"},
		"label/le/values wait_seconds_bucket":      {"0.1", "0.25", "1.0", "1", "+Inf"},
		"label/job/values requests_total":          {"shop", "stock"},
		"label/job/values wait_seconds_bucket":     {"shop"},
		"label/cluster/values wait_seconds_bucket": {"eu"},
	}
	for name, test := range map[string]struct{ old, replacement, want string }{
		"matching objectives compile": {"", "", ""},
		"unknown metric": {
			"total: requests_total", "total: request_total",
			`4:55: slos[0].indicator.ratio.total: URL has no metric request_total; did you mean "requests_total"?`,
		},
		"unknown label":                     {"code=", "status=", "4:76: slos[0].indicator.ratio.bad: metric requests_total has no label status; it has code, job, instance"},
		"threshold between bucket bounds":   {"250ms", "500ms", "5:79: slos[1].indicator.latency.threshold: 500ms is not a bucket bound of wait_seconds; the nearest are 250ms and 1s"},
		"threshold above all bucket bounds": {"250ms", "1s250ms", "5:79: slos[1].indicator.latency.threshold: 1.25s is not a bucket bound of wait_seconds; the nearest is 1s"},
		"unknown groupBy label":             {"[queue]", "[queues]", `5:38: slos[1].groupBy[0]: metric wait_seconds has no label queues; did you mean "queue"?`},
		"no series for the job": {
			"service: shop", "service: stock",
			`5:97: slos[1].indicator.latency.histogram: metric wait_seconds has no series with job="stock"; job is one of shop`,
		},
		"unknown label in selector": {
			"service: shop", "service: shop\nselector: {region: eu}",
			"5:55: slos[0].indicator.ratio.total: metric requests_total has no label region; it has code, job, instance\n" +
				"f:5:76: slos[0].indicator.ratio.bad: metric requests_total has no label region; it has code, job, instance\n" +
				"f:6:97: slos[1].indicator.latency.histogram: metric wait_seconds has no label region; it has queue, job, instance",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(shopObjectives, test.old) {
				t.Fatalf("the file does not hold %q", test.old)
			}
			url := prometheus(t, "/prometheus", answers)
			got := againstMetrics(t, strings.Replace(shopObjectives, test.old, test.replacement, 1), url+"/")
			got = strings.ReplaceAll(got, url+"/", "URL")
			if want := strings.TrimSuffix("f:"+test.want, "f:"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestPasswordInMetricsAddressIsHidden(t *testing.T) {
	t.Parallel()
	address := strings.Replace(prometheus(t, "", map[string][]string{"label/__name__/values": {"up"}}), "http://", "http://user:secret@", 1)
	if got := againstMetrics(t, shopObjectives, address); !strings.Contains(got, "user:xxxxx@") || strings.Contains(got, "secret") {
		t.Error(got)
	}
}

func TestObjectivesAreComparedWithMetricsPage(t *testing.T) {
	t.Parallel()
	page := "# TYPE requests_total counter\nrequests_total{code=\"200\"} 1\n# TYPE wait_seconds histogram\n" +
		"wait_seconds_bucket{queue=\"a\",le=\"0.25\"} 1\nwait_seconds_bucket{queue=\"a\",le=\"+Inf\"} 1\nwait_seconds_count{queue=\"a\"} 1\n"
	for _, path := range []string{"/metrics", "/actuator/prometheus"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path {
				http.NotFound(w, r)
				return
			}
			if _, err := w.Write([]byte(page)); err != nil {
				t.Error(err)
			}
		}))
		t.Cleanup(server.Close)
		if got := againstMetrics(t, shopObjectives, server.URL+path); got != "" {
			t.Errorf("%s: %s", path, got)
		}
		if got := againstMetrics(t, strings.Replace(shopObjectives, "code=", "status=", 1), server.URL+path); got != "f:4:76: slos[0].indicator.ratio.bad: metric requests_total has no label status; it has code" {
			t.Errorf("%s: %s", path, got)
		}
		if got := againstMetrics(t, shopObjectives, server.URL+"/nothing"); !strings.Contains(got, "404 Not Found") {
			t.Errorf("nothing there: %s", got)
		}
	}
}

// The address may be any server: send the token only after it denies access.
func TestTokenIsSentOnlyAfterAccessIsDenied(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		denied int // status without the token; 0 for none
		want   []string
	}{
		"metrics page":        {0, []string{"/api/v1/label/__name__/values ", "/ "}},
		"Prometheus with 401": {http.StatusUnauthorized, []string{"/api/v1/label/__name__/values ", "/api/v1/label/__name__/values Bearer secret"}},
		"Prometheus with 403": {http.StatusForbidden, []string{"/api/v1/label/__name__/values ", "/api/v1/label/__name__/values Bearer secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.URL.Path+" "+r.Header.Get("Authorization"))
				switch {
				case test.denied == 0:
					http.NotFound(w, r)
				case r.Header.Get("Authorization") == "":
					http.Error(w, "denied", test.denied)
				default:
					_, _ = w.Write([]byte(`{"status":"success","data":[]}`))
				}
			}))
			t.Cleanup(server.Close)
			u := newTerminal(nil)
			u.Getenv = func(name string) string { return map[string]string{prometheusToken: "secret"}[name] }
			if code := Main(t.Context(), []string{"slo", objectivesFile(t, shopObjectives), "--metrics", server.URL + "/"}, u.Factory); code != ExitError {
				t.Errorf("status %d, %s", code, &u.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("requests differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTokenIsNotSentToAnotherServer(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := r.Header.Get("Authorization"); token != "" {
			t.Errorf("the other server got %q", token)
		}
		http.Error(w, "denied", http.StatusUnauthorized)
	}))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.RedirectHandler(other.URL+"/x", http.StatusFound))
	t.Cleanup(server.Close)
	u := newTerminal(nil)
	u.Getenv = func(name string) string { return map[string]string{prometheusToken: "secret"}[name] }
	code := Main(t.Context(), []string{"slo", objectivesFile(t, shopObjectives), "--metrics", server.URL}, u.Factory)
	if want := "redirects to another server, " + other.URL + "/x, and the bearer token was not sent there; pass the address of that server"; code != ExitError || !strings.Contains(u.err.String(), want) {
		t.Errorf("status %d, %s", code, &u.err)
	}
}

func TestTokenFollowsRedirectOfTheSameServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, "/prometheus/"):
			http.Redirect(w, r, "/prometheus"+r.URL.RequestURI(), http.StatusFound)
		case r.Header.Get("Authorization") == "":
			http.Error(w, "denied", http.StatusUnauthorized)
		default:
			_, _ = w.Write([]byte(`{"status":"success","data":["up"]}`))
		}
	}))
	t.Cleanup(server.Close)
	page, err := get(t.Context(), pageRequest{address: server.URL + "/api", accept: "application/json", token: "secret"})
	if err != nil || !strings.Contains(string(page), "up") {
		t.Errorf("%s, %v", page, err)
	}
}

func TestPrometheusErrorsAreReported(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		want   []string
	}{
		"not an API":    {http.StatusNotFound, []string{"not metrics but an HTML page", "not the API of a Prometheus", "404 Not Found"}},
		"not ready":     {http.StatusServiceUnavailable, []string{"--metrics: ", "503 Service Unavailable: no"}},
		"without token": {http.StatusUnauthorized, []string{"401 Unauthorized: no; set SCAFFOLD_PROMETHEUS_TOKEN to a bearer token"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/api/") {
					http.Error(w, "no", test.status)
					return
				}
				_, _ = w.Write([]byte("<html>"))
			}))
			t.Cleanup(server.Close)
			got := againstMetrics(t, shopObjectives, server.URL+"/")
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s, without %s", got, want)
				}
			}
			if test.status != http.StatusNotFound && strings.Contains(got, "not the API") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// againstMetrics returns the errors of scaffold slo for objectives and a source of metrics, or
// "" if the objectives compile.
func againstMetrics(t *testing.T, objectives, source string) string {
	t.Helper()
	file := objectivesFile(t, objectives)
	u := newTerminal(nil)
	code := Main(t.Context(), []string{"slo", file, "--metrics", source}, u.Factory)
	if code == ExitDone {
		return ""
	}
	if u.out.Len() > 0 {
		t.Errorf("rules were written: %s", &u.out)
	}
	var lines []string
	for line := range strings.Lines(u.err.String()) {
		if !strings.HasPrefix(line, "    ") {
			lines = append(lines, strings.TrimSpace(strings.ReplaceAll(line, filepath.ToSlash(file), "f")))
		}
	}
	return strings.Join(lines, "\n")
}

func objectivesFile(t *testing.T, objectives string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shop.slo.yaml")
	if err := os.WriteFile(file, []byte(objectives), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
