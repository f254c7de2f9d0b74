//go:build !scaffold_faults

package httpserver_test

import (
	"net/http"
	"testing"

	"github.com/observability-first/scaffold/runtime/httpserver"
)

// A caller of an ordinary build has no way to make it fail.
func TestFaultsAreOutOfReach(t *testing.T) {
	t.Parallel()
	if httpserver.FaultsCompiledIn {
		t.Fatal("an ordinary build has the fault switch in it")
	}
	svc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), nil)
	for _, kind := range []string{"error", "shed", "panic", "delay=1h", "nonsense"} {
		if res, _ := get(t, svc.URL, "Scaffold-Fault", kind); res.StatusCode != http.StatusNoContent {
			t.Errorf("Scaffold-Fault: %s gives %d", kind, res.StatusCode)
		}
	}
}
