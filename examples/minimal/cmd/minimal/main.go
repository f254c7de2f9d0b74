// Command minimal serves the order API.
package main

import (
	"context"
	"os"

	"github.com/observability-first/scaffold/runtime"

	"github.com/observability-first/scaffold/examples/minimal/internal/api"
	"github.com/observability-first/scaffold/examples/minimal/internal/order"
	"github.com/observability-first/scaffold/examples/minimal/internal/store"
)

// version is set by the build.
var version = "dev"

func main() {
	os.Exit(runtime.Main(runtime.Info{Name: "minimal", Version: version}, defaults(), run))
}

// run wires the service; what it starts stops in the reverse order.
func run(ctx context.Context, svc *runtime.Service) error {
	svc.Handle(api.Routes(order.NewService(store.NewMemory())))
	return svc.Run(ctx)
}
