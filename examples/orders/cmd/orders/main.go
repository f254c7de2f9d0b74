// Command orders serves the order API.
package main

import (
	"context"
	"os"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/postgres"

	"github.com/observability-first/scaffold/examples/orders/internal/api"
	"github.com/observability-first/scaffold/examples/orders/internal/order"
	"github.com/observability-first/scaffold/examples/orders/internal/store"
	"github.com/observability-first/scaffold/examples/orders/migrations"
)

var version = "dev" // set by the build

func main() {
	os.Exit(runtime.Main(runtime.Info{Name: "orders", Version: version}, defaults(), run))
}

// run declares the components and serves until ctx ends. Components stop in reverse order.
func run(ctx context.Context, svc *runtime.Service) error {
	var cfg struct{ Postgres postgres.Config }
	cfg.Postgres.MaxConns = poolSize
	if err := svc.Load(&cfg); err != nil {
		return err
	}
	db, err := postgres.New(svc, cfg.Postgres, migrations.FS)
	if err != nil {
		return err
	}
	orders := store.New(db)
	svc.Go("idempotency key cleanup", func(ctx context.Context) error { return orders.DeleteExpiredKeysPeriodically(ctx, svc.Logger()) })

	svc.Handle(api.Routes(order.NewService(orders)))
	return svc.Run(ctx)
}
