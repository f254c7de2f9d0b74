//go:build !scaffold_faults

package httpserver_test

import (
	"net/http"
	"testing"

	"github.com/observability-first/scaffold/runtime/httpserver"
)

// Builds without the tag have no fault injection.
func TestFaultInjectionIsOff(t *testing.T) {
	t.Parallel()
	if httpserver.FaultsCompiledIn {
		t.Fatal("fault injection is compiled in without the tag")
	}
	svc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), nil)
	for _, kind := range []string{"error", "shed", "panic", "delay=1h", "nonsense"} {
		if res, _ := get(t, svc.URL, "Scaffold-Fault", kind); res.StatusCode != http.StatusNoContent {
			t.Errorf("Scaffold-Fault: %s: status %d", kind, res.StatusCode)
		}
	}
}
