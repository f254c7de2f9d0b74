package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// rendering draws a dashboard of a Prometheus panel and a panel of logs, and returns the exit code and
// standard error.
func rendering(t *testing.T, env map[string]string, flags ...string) (int, string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "up.json")
	const src = `{"title":"Up","panels":[{"type":"stat","title":"Up","targets":[{"refId":"A","expr":"sum(up)","instant":true}]},
		{"type":"logs","title":"Logs","targets":[{"refId":"A","expr":"{a=\"b\"}","datasource":{"type":"loki"}}]}]}`
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	u := newTerminal(nil)
	u.Getenv = func(name string) string { return env[name] }
	code := Main(t.Context(), append([]string{"dashboards", "render", "-o", dir, file}, flags...), u.Factory)
	return code, u.err.String()
}

func TestRenderShowsWhyAStoreRejectsAQuery(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		status int
		body   string
		token  string
		want   string
	}{
		{"JSON of Prometheus", 400, `{"status":"error","errorType":"bad_data","error":"parse error: unexpected )"}`, "", "/api/v1/query: 400 Bad Request: parse error: unexpected )\n"},
		{"JSON of Pyroscope", 400, `{"code":"invalid_argument","message":"no such profile"}`, "", "/api/v1/query: 400 Bad Request: no such profile\n"},
		{"text", 500, "too many samples\nstack of the server\n", "", "/api/v1/query: 500 Internal Server Error: too many samples\n"},
		{"HTML", 502, "<html>\nBad gateway", "", "/api/v1/query: 502 Bad Gateway\n"},
		{"nothing", 503, "", "", "/api/v1/query: 503 Service Unavailable\n"},
		{"long text", 500, strings.Repeat("x", 8<<10), "", "/api/v1/query: 500 Internal Server Error: " + strings.Repeat("x", 200) + "\n"},
		{"wrong URL", 404, "404 page not found\n", "", "/api/v1/query: 404 Not Found; check that the URL is the base URL of the API\n"},
		{"without a token", 401, "no org id\n", "", "/api/v1/query: 401 Unauthorized: no org id; set SCAFFOLD_PROMETHEUS_TOKEN to a bearer token\n"},
		{"with a token", 403, "", "secret", "/api/v1/query: 403 Forbidden; it rejected the bearer token in SCAFFOLD_PROMETHEUS_TOKEN\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			t.Cleanup(server.Close)
			code, stderr := rendering(t, map[string]string{prometheusToken: tc.token}, "--source", server.URL)
			if want := ": all 2 queries failed: " + server.URL + tc.want; code != ExitError || !strings.HasSuffix(stderr, want) {
				t.Errorf("status %d\n got %s\nwant %s", code, stderr, want)
			}
		})
	}
}

func TestRenderWaitsAsLongAsItsTimeout(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(server.Close)
	code, stderr := rendering(t, nil, "--source", server.URL, "--loki", server.URL, "--timeout", "50ms")
	if want := "all 2 queries failed: queries did not finish within 50ms; use a shorter time range or a longer timeout\n"; code != ExitError || !strings.HasSuffix(stderr, want) {
		t.Errorf("status %d\n got %s\nwant %s", code, stderr, want)
	}
}

func TestLimitOfOneRequest(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(server.Close)
	began := time.Now()
	_, err := get(t.Context(), pageRequest{address: server.URL, limit: 20 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := get(ctx, pageRequest{address: server.URL}); !errors.Is(err, context.Canceled) {
		t.Errorf("without a limit: got %v", err)
	}
}

func TestEachStoreGetsItsOwnToken(t *testing.T) {
	t.Parallel()
	var mutex sync.Mutex
	tokens := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("Authorization")
		if token == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		tokens[r.URL.Path] = token
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"streams","result":[]}}`))
	}))
	t.Cleanup(server.Close)
	code, stderr := rendering(t, map[string]string{prometheusToken: "metrics", "SCAFFOLD_LOKI_TOKEN": "logs"}, "--source", server.URL, "--loki", server.URL+"/")
	if code != ExitDone || tokens["/api/v1/query"] != "Bearer metrics" || tokens["/loki/api/v1/query_range"] != "Bearer logs" {
		t.Errorf("status %d, %v, %s", code, tokens, stderr)
	}
}

func TestErrorsOfStoresAreWrapped(t *testing.T) {
	t.Parallel()
	g := &globals{Factory: Factory{Getenv: func(string) string { return "" }}}
	for _, err := range []error{
		g.explainStore(&url.Error{Op: "Get", URL: "http://localhost:9090", Err: context.DeadlineExceeded}, prometheusToken),
		g.explainStore(context.DeadlineExceeded, prometheusToken),
	} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is not a timeout", err)
		}
	}
	var status statusError
	if err := g.explainStore(statusError{"http://localhost:9090: 401", 401}, prometheusToken); !errors.As(err, &status) || status.code != 401 {
		t.Errorf("got %v", err)
	}
}

// A server may quote the bearer token, which must not get to standard error or into a picture.
func TestRenderDoesNotShowTheToken(t *testing.T) {
	t.Parallel()
	const token = "TOPSECRET123"
	for _, status := range []int{http.StatusOK, http.StatusForbidden, http.StatusInternalServerError} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"status":"error","error":"you sent %s"}`, r.Header.Get("Authorization"))
		}))
		t.Cleanup(server.Close)
		_, stderr := rendering(t, map[string]string{prometheusToken: token}, "--source", server.URL)
		if strings.Contains(stderr, token) || !strings.Contains(stderr, "you sent Bearer xxxxx") {
			t.Errorf("%d: %s", status, stderr)
		}
	}
}

func TestAddressesThatAreNoURLAreNotQuoted(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://user:hunter2@[::1", "http://user:hunter2%zz@localhost", "http://user:hunt\x00er2@localhost"} {
		_, err := get(t.Context(), pageRequest{address: address})
		if err == nil || strings.Contains(err.Error(), "hunt") || strings.Contains(withoutPassword(address), "hunt") {
			t.Errorf("got %v, %s", err, withoutPassword(address))
		}
	}
}
