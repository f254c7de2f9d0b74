//go:build !race

package hostile

import (
	"math"
	"net/http"
	"net/http/httptest"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/examples/orders/internal/api"
	"github.com/observability-first/scaffold/examples/orders/internal/order"
)

// maxAllocated is the maximum number of bytes that a request with a body of 1 MiB may
// allocate, garbage included. 29 parallel requests of this size fit into the 256 MiB of
// the manifest without a garbage collection.
const maxAllocated = 9_000_000

func TestAllocationsOfLargeBodies(t *testing.T) { //nolint:paralleltest // counts the bytes that the process allocates
	handler := api.Routes(order.NewService(nil)) // no request reaches the store
	for name, tc := range largeBodies() {
		t.Run(name, func(t *testing.T) {
			var rec *httptest.ResponseRecorder
			var before, after goruntime.MemStats
			allocated := uint64(math.MaxUint64)
			for range 3 { // other goroutines allocate, too; take the minimum
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/orders", strings.NewReader(tc.body))
				r.Header.Set("Idempotency-Key", name)
				rec = httptest.NewRecorder()
				goruntime.ReadMemStats(&before)
				handler.ServeHTTP(rec, r)
				goruntime.ReadMemStats(&after)
				allocated = min(allocated, after.TotalAlloc-before.TotalAlloc)
			}
			t.Logf("%d bytes allocated for a body of %d and a response of %d", allocated, len(tc.body), rec.Body.Len())
			if rec.Code != tc.status || rec.Body.Len() > 10_000 || !strings.Contains(rec.Body.String(), tc.more) {
				t.Errorf("got %d and %d bytes, want %d with %q:\n%.500s", rec.Code, rec.Body.Len(), tc.status, tc.more, rec.Body)
			}
			if allocated > maxAllocated {
				t.Errorf("the request allocates %d bytes, want at most %d", allocated, maxAllocated)
			}
		})
	}
}
