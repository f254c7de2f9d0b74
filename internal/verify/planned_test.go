package verify

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/openapi"
)

func TestPlannedOperationsRespondWithNotImplemented(t *testing.T) {
	t.Parallel()
	document, err := openapi.Parse([]byte(`{"openapi":"3.1.0","paths":{
		"/done":{"get":{"responses":{"200":{},"501":{}}}},
		"/planned":{"post":{"responses":{"501":{},"default":{}}}}
	}}`))
	if err != nil {
		t.Fatal(err)
	}
	routes := []string{"GET /done", "POST /planned"}
	for name, tc := range map[string]struct {
		status int
		want   string
	}{
		"status 501 is as documented":            {http.StatusNotImplemented, "POST /planned: skipped: not implemented: it responds with status 501, as documented; write the route, and document its responses instead of 501"},
		"a route that was written is documented": {http.StatusOK, "POST /planned: failed: the OpenAPI document has only status 501, and the response has status 200: ; document the responses of the route instead of 501"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tc.status) }))
			t.Cleanup(server.Close)
			s := &session{document: document, driver: newDriver(server.URL, document, routes, httpfile.File{}, 0)}
			if got := s.judgeUnimplemented(t.Context()); !slices.Equal(got, []string{"POST /planned"}) {
				t.Errorf("got the planned routes %q, want POST /planned", got)
			}
			wantChecks(t, s, tc.want)
			if got := s.driver.unrequested(); len(got) > 0 {
				t.Errorf("%q count as routes without a request", got)
			}
			if sent := s.driver.order(); len(sent) != 1 || sent[0].Key() != "GET /done" {
				t.Errorf("traffic goes to %v, want GET /done", sent)
			}
		})
	}
}
