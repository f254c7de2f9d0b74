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

var version = "dev" // set by the build

func main() {
	os.Exit(runtime.Main(runtime.Info{Name: "minimal", Version: version}, defaults(), run))
}

// run declares the components and serves until ctx ends. Components stop in reverse order.
func run(ctx context.Context, svc *runtime.Service) error {
	orders := store.NewMemory()

	svc.Handle(api.Routes(order.NewService(orders)))
	return svc.Run(ctx)
}
