package health_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/observability-first/scaffold/runtime/health"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

func Example() {
	m, err := health.New(health.Options{Registry: telemetry.NewRegistry(telemetry.Classic)})
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Add("postgres", func(context.Context) error { return nil })
	if err := m.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer m.Stop()
	<-m.Started()
	probe := func() int {
		w := httptest.NewRecorder()
		m.Readyz().ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code
	}
	fmt.Println("running:", probe())
	m.Drain()
	fmt.Println("draining:", probe())
	// Output:
	// running: 200
	// draining: 503
}
