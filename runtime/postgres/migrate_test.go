package postgres

import (
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
)

func migrations(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, sql := range files {
		fsys[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql + "\n")}
	}
	return fsys
}

func TestMigrateAppliesPendingMigrations(t *testing.T) {
	t.Parallel()
	url := database(t)
	files := map[string]string{"0001_words.sql": "CREATE TABLE words (word text);"}
	first := declare(t, Config{URL: url}, migrations(files))
	if err := first.host.commands["migrate"](t.Context()); err != nil {
		t.Fatal(err)
	}
	if log := first.host.log.String(); strings.Count(log, `"migration applied"`) != 1 || !strings.Contains(log, "0001_words.sql") {
		t.Errorf("got log %s, want one line with the migration", log)
	}
	if err := first.Migrate(t.Context()); err != nil {
		t.Errorf("a second call: %v", err)
	}
	for _, want := range []string{`"msg":"schema is up to date","applied":1,"schema_version":1`, `"msg":"schema is up to date","applied":0,"schema_version":1`} {
		if log := first.host.log.String(); strings.Count(log, want) != 1 {
			t.Errorf("got log %s, want one line with %s", log, want)
		}
	}

	files["0002_seed.sql"] = "INSERT INTO words VALUES ('one');"
	next := declare(t, Config{URL: url, Migrate: true}, migrations(files))
	if err := next.host.start(t); err != nil {
		t.Fatal(err)
	}
	if got := next.number(t, "SELECT count(*)::int FROM words"); got != 1 {
		t.Errorf("got %d words, want the one of the second migration", got)
	}
	if strings.Contains(next.host.log.String(), "0001_words.sql") {
		t.Error("the first migration was applied again")
	}
}

func TestReplicasMigrateInTurn(t *testing.T) {
	t.Parallel()
	url := database(t)
	fsys := migrations(map[string]string{"0001_words.sql": "SELECT pg_sleep(0.2);\nCREATE TABLE words AS SELECT 'one' AS word;"})
	var wg sync.WaitGroup
	for range 3 {
		replica := declare(t, Config{URL: url}, fsys)
		wg.Go(func() {
			if err := replica.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestMigrateWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	files := migrations(map[string]string{"0001_words.sql": "CREATE TABLE words (word text);"})
	hasty := declare(t, Config{URL: URL(server.URL), StartTimeout: 50 * time.Millisecond}, files)
	if err := hasty.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "(POSTGRES_START_TIMEOUT)") {
		t.Errorf("got %v, want the time that it waited", err)
	}
	g := declare(t, Config{URL: URL(server.URL), StartTimeout: patience}, files)
	migrated := make(chan error, 1)
	go func() { migrated <- g.host.commands["migrate"](t.Context()) }()
	eventually(t, "the log line of the wait", func() bool { return strings.Contains(g.host.log.String(), "waiting for the database") })
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-migrated; err != nil {
		t.Error(err)
	}
}

func TestABrokenMigrationIsNamed(t *testing.T) {
	t.Parallel()
	g := declare(t, Config{URL: database(t), Migrate: true}, migrations(map[string]string{
		"0001_words.sql": "CREATE TABLE words (word text);", "0002_broken.sql": "CREATE TABLE;", "0003_more.sql": "CREATE TABLE more (n int);",
	}))
	err := g.host.start(t)
	if err == nil || !strings.Contains(err.Error(), "0002_broken.sql") || !strings.Contains(err.Error(), "syntax error") {
		t.Errorf("got %v, want the migration and what is wrong with it", err)
	}
	if log := g.host.log.String(); !strings.Contains(log, "0001_words.sql") || strings.Contains(log, "0003_more.sql") {
		t.Errorf("got log %s, want the first migration only", log)
	}
}

func TestMigrateWithoutMigrations(t *testing.T) {
	t.Parallel()
	url := database(t)
	if err := declare(t, Config{URL: url}, fstest.MapFS{}).Migrate(t.Context()); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	g := declare(t, Config{URL: url, Migrate: true}, nil)
	if _, known := g.host.commands["migrate"]; known {
		t.Error("there is a command migrate without migrations")
	}
	if err := g.host.start(t); err == nil || !strings.Contains(err.Error(), "0001_orders.sql") {
		t.Errorf("got %v, want an error with an example", err)
	}
}
