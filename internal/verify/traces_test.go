package verify

import (
	"testing"

	"github.com/observability-first/scaffold/runtime/servicetest"
)

func TestTracesAreSelectedBySpans(t *testing.T) {
	t.Parallel()
	all := []servicetest.Span{
		{Name: "GET /jobs", Failed: true, Resource: map[string]any{"service.name": "shop"}, Attributes: map[string]any{"http.response.status_code": int64(500)}},
		{Name: "GET /jobs", Resource: map[string]any{"service.name": "shop"}, Attributes: map[string]any{"http.response.status_code": int64(200)}},
		{Name: "SELECT", Resource: map[string]any{"service.name": "depot"}},
	}
	for query, want := range map[string]int{
		`{ status = error }`:                                                    1,
		`{resource.service.name="shop"&&status!=error}`:                         1,
		`{ name = "GET /jobs" && span.http.response.status_code = 200 }`:        1,
		`{ .http.response.status_code = 500 }`:                                  1,
		`{ resource.service.name != "shop" }`:                                   1,
		`{ resource.service.name = "shop" && resource.service.name = "depot" }`: 0,
	} {
		conditions, ok := spanConditions(query)
		if got := len(spansOf(all, conditions)); !ok || got != want {
			t.Errorf("%s: %d spans, want %d", query, got, want)
		}
	}
	for _, query := range []string{`{}`, `{ duration > 2s }`, `{ a = 1 || b = 2 }`, `status = error`, `{ a = "b`, `{ a = 1 } | count() > 2`} {
		if _, ok := spanConditions(query); ok {
			t.Errorf("%s is understood", query)
		}
	}
}
