package runtime_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
)

// A service is one function that wires it. This example passes an unknown command; without
// arguments it would serve requests.
func ExampleExecute() {
	run := func(ctx context.Context, svc *runtime.Service) error {
		router := httpserver.NewRouter()
		router.Get("/v1/orders", func(http.ResponseWriter, *http.Request) {})
		svc.Handle(router)
		svc.Go("mailer", func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
		return svc.Run(ctx)
	}
	status := runtime.Execute(context.Background(), runtime.Process{
		Args: []string{"migrate"}, Stdout: stdout{}, Stderr: stdout{},
	}, runtime.Info{Name: "orders", Version: "v1.4.2"}, runtime.Defaults{Owner: "team-orders"}, run)
	fmt.Println("status", status)
	// Output:
	// orders: unknown command "migrate"; known commands: config, help, openapi, serve, telemetry, version
	// status 64
}

type stdout struct{}

func (stdout) Write(b []byte) (int, error) { return fmt.Print(string(b)) }
