package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/examples/checkout/internal/api"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body   string
		status int
		want   string // part of the response
	}{
		"a cart has a price":               {`{"items":[{"unit_cents":1500,"quantity":2}]}`, http.StatusOK, `{"items_cents":3000,"shipping_cents":490,"total_cents":3490}`},
		"an invalid item is named":         {`{"items":[{"unit_cents":1,"quantity":0}]}`, http.StatusUnprocessableEntity, `"body.items[0].quantity"`},
		"an item without a price is named": {`{"items":[{"quantity":1}]}`, http.StatusUnprocessableEntity, `"body.items[0].unit_cents"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/quotes", strings.NewReader(tc.body))
			req.Header.Set("Content-Type", "application/json")
			got := httptest.NewRecorder()
			api.Routes(nil).ServeHTTP(got, req)
			if got.Code != tc.status || !strings.Contains(got.Body.String(), tc.want) {
				t.Errorf("got %d %s, want %d with %s", got.Code, got.Body, tc.status, tc.want)
			}
		})
	}
}
