//go:build scaffold_faults

package httpserver_test

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/httpserver"
)

// The process uses a CPU during the request, so that a CPU profile shows it.
func TestFaultsUseACPU(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	router.Get("/orders/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	svc := serve(t, router, nil)
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano())
	}
	before := cpu()
	get(t, svc.URL+"/orders/1", "Scaffold-Fault", "cpu=300ms")
	if used := cpu() - before; used < 20*time.Millisecond {
		t.Errorf("the process used %s of CPU time", used)
	}
}
