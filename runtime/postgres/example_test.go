package postgres_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/observability-first/scaffold/runtime/postgres"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// service replaces *runtime.Service.
type service struct{ telemetry *telemetry.Telemetry }

func (s service) Telemetry() *telemetry.Telemetry                   { return s.telemetry }
func (service) OnStart(string, func(context.Context) error)         {}
func (service) OnStop(string, func(context.Context) error)          {}
func (service) Waiting(string, error)                               {}
func (service) Check(string, func(context.Context) error)           {}
func (service) Command(string, string, func(context.Context) error) {}

// New registers the metrics without a configuration or a connection.
func ExampleNew() {
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := postgres.New(service{tel}, postgres.Config{}, nil); err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range tel.Metrics().Declarations() {
		if strings.HasPrefix(d.Name, "db_") {
			fmt.Println(d.Type, d.Name, d.Labels)
		}
	}
	// Output:
	// gauge db_client_connection_count [db_client_connection_pool_name db_client_connection_state]
	// gauge db_client_connection_max [db_client_connection_pool_name]
	// gauge db_client_connection_pending_requests [db_client_connection_pool_name]
	// counter db_client_connection_timeouts_total [db_client_connection_pool_name]
	// counter db_client_connection_wait_time_seconds_total [db_client_connection_pool_name]
	// counter db_client_connection_waits_total [db_client_connection_pool_name]
	// histogram db_client_operation_duration_seconds [db_operation_name db_system_name error_type]
}

// A transfer needs two statements that both succeed or both fail. Conflicting transfers are
// retried.
func ExampleDB_InTx() {
	transfer := func(ctx context.Context, db *postgres.DB, from, to string, cents int64) error {
		return db.InTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE accounts SET cents = cents - $2 WHERE id = $1", from, cents); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "UPDATE accounts SET cents = cents + $2 WHERE id = $1", to, cents)
			return err
		})
	}
	_ = transfer
	// Output:
}
