package postgres

import (
	"context"
	neturl "net/url"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/semconv"
)

func twoMigrations() map[string]string {
	return map[string]string{
		"0001_words.sql": "CREATE TABLE words (word text);",
		"0002_index.sql": "CREATE INDEX words_word ON words (word);",
	}
}

func TestPendingMigrationsDelayTheStart(t *testing.T) {
	t.Parallel()
	url := database(t)
	g := declare(t, Config{URL: url}, migrations(twoMigrations()))
	if err := g.host.start(t); err != nil {
		t.Fatalf("pending migrations must not end the process: %v", err)
	}
	check := g.host.checks["postgres"]
	pending := func(want string) {
		t.Helper()
		for range 3 {
			if err := check(t.Context()); err == nil || err.Error() != want {
				t.Fatalf("the check gave %v, want %q", err, want)
			}
		}
	}
	pending(`2 migrations are pending; run "orders migrate" or set POSTGRES_MIGRATE=true: 0001_words.sql, 0002_index.sql`)
	if n := g.number(t, "SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
		t.Errorf("the check made %d tables, want none", n)
	}

	first := twoMigrations()
	delete(first, "0002_index.sql")
	if err := declare(t, Config{URL: url}, migrations(first)).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	pending(`1 migration is pending; run "orders migrate" or set POSTGRES_MIGRATE=true: 0002_index.sql`)
	if log := g.host.log.String(); strings.Contains(log, "pending") {
		t.Errorf("got log %s; the health checks log what they return", log)
	}

	if err := declare(t, Config{URL: url}, migrations(twoMigrations())).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := check(t.Context()); err != nil {
		t.Errorf("all migrations are applied by another process, the check gave %v", err)
	}
	g.exec(t, "DROP TABLE goose_db_version")
	if err := check(t.Context()); err != nil {
		t.Errorf("after the start, the check gave %v", err)
	}
}

func TestTheSchemaCheckIsNoTraffic(t *testing.T) {
	t.Parallel()
	g := declare(t, Config{URL: database(t)}, migrations(twoMigrations()))
	if err := g.host.start(t); err != nil {
		t.Fatal(err)
	}
	if err := g.host.checks["postgres"](t.Context()); err == nil {
		t.Fatal("no migration is pending")
	}
	if got := g.series(t, semconv.DBClientOperationDuration); len(got) != 0 || len(g.spans.Ended()) != 0 {
		t.Errorf("the check counts as statements %q and %d spans, want none", got, len(g.spans.Ended()))
	}
}

// After a rollback, the schema is newer than the binary.
func TestANewerSchemaIsReady(t *testing.T) {
	t.Parallel()
	url := database(t)
	newer := twoMigrations()
	newer["0003_more.sql"] = "CREATE TABLE more (n int);"
	if err := declare(t, Config{URL: url}, migrations(newer)).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, migrate := range []bool{false, true} {
		g := declare(t, Config{URL: url, Migrate: migrate}, migrations(twoMigrations()))
		if err := g.host.start(t); err != nil {
			t.Fatal(err)
		}
		if err := g.host.checks["postgres"](t.Context()); err != nil {
			t.Errorf("POSTGRES_MIGRATE=%t: the check gave %v", migrate, err)
		}
	}
}

// A migration with a lower number than an applied one comes from a branch that was merged later.
// It is pending, too.
func TestAMigrationMergedLateIsPending(t *testing.T) {
	t.Parallel()
	url := database(t)
	late := twoMigrations()
	delete(late, "0001_words.sql")
	late["0002_index.sql"] = "CREATE TABLE other (n int);"
	if err := declare(t, Config{URL: url}, migrations(late)).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := declare(t, Config{URL: url}, migrations(twoMigrations()))
	if err := g.host.start(t); err != nil {
		t.Fatal(err)
	}
	if err := g.host.checks["postgres"](t.Context()); err == nil || !strings.Contains(err.Error(), "true: 0001_words.sql") {
		t.Errorf("the check gave %v, want 0001_words.sql to be pending", err)
	}
}

// The role of the service may differ from the one that migrates.
func TestReadOnlyRole(t *testing.T) {
	t.Parallel()
	url := database(t)
	owner := declare(t, Config{URL: url, Migrate: true}, migrations(twoMigrations()))
	if err := owner.host.start(t); err != nil {
		t.Fatal(err)
	}
	owner.exec(t, "CREATE ROLE reader LOGIN")
	t.Cleanup(func() {
		for _, sql := range []string{"DROP OWNED BY reader", "DROP ROLE reader"} {
			if _, err := owner.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
				t.Error(err)
			}
		}
	})
	address, err := neturl.Parse(url.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	address.User = neturl.User("reader")
	reader := declare(t, Config{URL: URL(address.String())}, migrations(twoMigrations()))
	if err := reader.host.start(t); err != nil {
		t.Fatal(err)
	}
	check := reader.host.checks["postgres"]
	if err := check(t.Context()); err == nil || !strings.Contains(err.Error(), `GRANT SELECT ON goose_db_version TO reader`) {
		t.Errorf("without the right the check gave %v, want the statement that grants it", err)
	}
	owner.exec(t, "GRANT SELECT ON goose_db_version TO reader")
	if err := check(t.Context()); err != nil {
		t.Errorf("with the right to read the check gave %v", err)
	}
}

func TestManyPendingMigrationsAreNotAllNamed(t *testing.T) {
	t.Parallel()
	got := pendingError{"orders", []string{"1_a.sql", "2_b.sql", "3_c.sql", "4_d.sql", "5_e.sql"}}.Error()
	want := `5 migrations are pending; run "orders migrate" or set POSTGRES_MIGRATE=true: 1_a.sql, 2_b.sql, 3_c.sql and 2 more`
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A request while migrations are pending gets unavailable and not an internal error.
func TestAStatementBeforeTheMigrationsIsUnavailable(t *testing.T) {
	t.Parallel()
	g := declare(t, Config{URL: database(t)}, migrations(twoMigrations()))
	if err := g.host.start(t); err != nil {
		t.Fatal(err)
	}
	_, err := g.Exec(t.Context(), "INSERT INTO words VALUES ('a')")
	if code := apierror.From(err).Code; code != apierror.CodeUnavailable {
		t.Errorf("got %v with code %s", err, code)
	}
	if err := g.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.host.checks["postgres"](t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Exec(t.Context(), "INSERT INTO nowhere VALUES ('a')"); apierror.From(err).Code != apierror.CodeInternal {
		t.Errorf("a mistake of the program became %v", apierror.From(err).Code)
	}
}
