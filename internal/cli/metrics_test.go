package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFetchedMetricsAreLimited(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, want string }{
		{"page", ""},
		{"html", "/html: not metrics but an HTML page; use the URL that Prometheus scrapes, which usually ends in /metrics"},
		{"missing", "/missing: 404 Not Found; name the page that Prometheus scrapes, such as http://localhost:9464/metrics"},
		{"large", "/large: larger than 64 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/page":
					_, _ = fmt.Fprint(w, "# TYPE jobs_total counter\njobs_total 1\n")
				case "/html":
					_, _ = fmt.Fprint(w, "<html>")
				case "/large":
					for block := strings.Repeat("a 1\n", 1<<18); r.Context().Err() == nil; {
						if _, err := fmt.Fprint(w, block); err != nil {
							return
						}
					}
				default:
					http.NotFound(w, r)
				}
			}))
			t.Cleanup(server.Close)
			signals, err := readMetrics(t.Context(), server.URL+"/"+tc.name)
			if tc.want == "" {
				if err != nil || len(signals.Metrics) != 1 {
					t.Errorf("got %+v, %v", signals, err)
				}
				return
			}
			if err == nil || !strings.HasSuffix(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}
