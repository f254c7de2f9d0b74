package postgrestest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
)

func ExampleDatabase() {
	test := func(t *testing.T) {
		url := postgrestest.Database(t) // skips without PostgreSQL, fails in CI
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())

		var sum int
		if err := conn.QueryRow(t.Context(), "SELECT 1 + 1").Scan(&sum); err != nil || sum != 2 {
			t.Errorf("got %d, %v; want 2", sum, err)
		}
	}
	_ = test // the body of a test, as in func TestSum(t *testing.T)
	// Output:
}
