package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/codes"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/config"
	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
	"github.com/observability-first/scaffold/runtime/semconv"
)

func TestNewDeclaresAndConnectsToNothing(t *testing.T) {
	t.Parallel()
	g := declare(t, Config{}, fstest.MapFS{})
	var names []string
	for _, d := range g.host.telemetry.Metrics().Declarations() {
		if strings.HasPrefix(d.Name, "db_") {
			names = append(names, d.Name)
		}
	}
	want := []string{
		semconv.DBClientConnectionCount, semconv.DBClientConnectionMax, semconv.DBClientConnectionPendingRequests, semconv.DBClientConnectionTimeouts,
		semconv.DBClientConnectionWaitTime, semconv.DBClientConnectionWaits, semconv.DBClientOperationDuration,
	}
	if !slices.Equal(names, want) {
		t.Errorf("got metrics %q, want %q", names, want)
	}
	if g.host.checks["postgres"] == nil || g.host.commands["migrate"] == nil || len(g.host.starts) != 1 || len(g.host.stops) != 1 {
		t.Errorf("got checks %v, commands %v, %d starts, %d stops; want one of each", g.host.checks, g.host.commands, len(g.host.starts), len(g.host.stops))
	}
	if _, err := g.Exec(t.Context(), "SELECT 1"); !errors.Is(err, errNotStarted) {
		t.Errorf("a query before the start gave %v", err)
	}
	if err := g.SendBatch(t.Context(), &pgx.Batch{}).Close(); !errors.Is(err, errNotStarted) {
		t.Errorf("a batch before the start gave %v", err)
	}
	if g.Pool() != nil {
		t.Error("there is a pool before the start")
	}
	if err := g.host.start(t); !errors.Is(err, errNoURL) {
		t.Errorf("a start without URL gave %v", err)
	}
	if err := g.host.commands["migrate"](t.Context()); !errors.Is(err, errNoURL) {
		t.Errorf("migrate without URL gave %v", err)
	}
	if _, err := New(g.host, Config{}, nil); err == nil || !strings.Contains(err.Error(), "once per service") {
		t.Errorf("a second New gave %v", err)
	}
}

func TestTheURLIsCheckedAndHidden(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	env := map[string]string{"POSTGRES_URL": "postgres://u:" + password + "@h:no/db", "POSTGRES_MAX_CONNS": "0"}
	load := func() (Config, error) {
		var cfg struct{ Postgres Config }
		err := config.Load(&cfg, config.Source{Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
		return cfg.Postgres, err
	}
	_, err := load()
	want := `POSTGRES_URL=[hidden] (environment): not a connection string; write one (connection string, such as postgres://orders:secret@db:5432/orders)
POSTGRES_MAX_CONNS="0" (environment): out of range; write 1 to 10000`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}

	env = map[string]string{"POSTGRES_URL": "postgres://u:" + password + "@h/db"}
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	if cfg != (Config{URL: URL(env["POSTGRES_URL"])}).withDefaults() {
		t.Errorf("the tags give %+v, want the same as withDefaults", cfg)
	}
	if text := fmt.Sprintf("%v %+v %#v %s %q", cfg, cfg, cfg, cfg.URL, cfg.URL); strings.Contains(text, password) {
		t.Errorf("the password is visible: %s", text)
	}
	_, err = New(newHost(t), Config{URL: URL("postgres://u:" + password + "@h:no/db")}, nil)
	if err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("got %v, want an error without the password", err)
	}
}

func TestAStatementIsASpanAndAnObservation(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t)})
	ctx, parent := g.tracer.Start(t.Context(), "request")
	if _, err := g.Exec(ctx, "-- name: MakeWords\nCREATE TABLE words (word text PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	var word string
	if err := g.QueryRow(ctx, "INSERT INTO words VALUES ($1) RETURNING word", "hunter2").Scan(&word); err != nil || word != "hunter2" {
		t.Fatalf("got %q, %v", word, err)
	}
	if _, err := g.Exec(ctx, "INSERT INTO words VALUES ($1)", "hunter2"); err == nil {
		t.Fatal("a word was inserted twice")
	}
	if err := g.QueryRow(ctx, "SELECT word FROM words WHERE word = ''").Scan(&word); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("got %v, want no rows", err)
	}
	if err := g.QueryRow(ctx, "SELECT 1/0").Scan(&word); err == nil {
		t.Error("a division by zero scanned")
	}
	parent.End()

	want := []string{"CREATE postgresql 1", "INSERT postgresql 1", "INSERT postgresql constraint 1", "SELECT postgresql 1", "SELECT postgresql data 1"}
	if got := g.series(t, semconv.DBClientOperationDuration); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	var names []string
	for _, s := range g.spans.Ended() {
		if s.Parent().SpanID() != parent.SpanContext().SpanID() {
			continue
		}
		names = append(names, s.Name())
		attributes := map[string]string{}
		for _, a := range s.Attributes() {
			attributes[string(a.Key)] = a.Value.String()
		}
		if attributes["db.system.name"] != semconv.DBSystemPostgreSQL || attributes["db.namespace"] == "" || attributes["db.query.text"] == "" {
			t.Errorf("span %s lacks attributes: %v", s.Name(), attributes)
		}
		if text := fmt.Sprint(attributes); strings.Contains(text, "hunter2") {
			t.Errorf("span %s shows an argument: %s", s.Name(), text)
		}
		if failed := s.Status().Code == codes.Error; failed != (attributes["db.response.status_code"] != "" || attributes["pgx.sql_state"] != "") {
			t.Errorf("span %s: failed is %t with attributes %v", s.Name(), failed, attributes)
		}
	}
	if want := []string{"CREATE", "INSERT", "INSERT", "SELECT", "SELECT"}; !slices.Equal(slices.DeleteFunc(names, isPrepare), want) {
		t.Errorf("got spans %q, want %q", names, want)
	}
}

// isPrepare reports whether otelpgx created the span for the preparation of a statement.
func isPrepare(name string) bool { return strings.Contains(name, "prepare") }

func TestBatchesAndCopies(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t)})
	g.exec(t, "CREATE TABLE numbers (n int)")
	n, err := g.CopyFrom(t.Context(), pgx.Identifier{"numbers"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}, {2}, {3}}))
	if err != nil || n != 3 {
		t.Errorf("got %d, %v; want 3 rows copied", n, err)
	}
	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO numbers VALUES (4)")
	batch.Queue("INSERT INTO numbers VALUES (5)")
	if err := g.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Error(err)
	}
	batch.Queue("INSERT INTO nowhere VALUES (6)")
	if err := g.SendBatch(t.Context(), batch).Close(); err == nil {
		t.Error("a batch with a bad statement succeeded")
	}
	if got := g.number(t, "SELECT sum(n)::int FROM numbers"); got != 15 {
		t.Errorf("got a sum of %d, want 15", got)
	}
	got := g.series(t, semconv.DBClientOperationDuration)
	for _, want := range []string{"BATCH postgresql 1", "BATCH postgresql statement 1", "COPY postgresql 1"} {
		if !slices.Contains(got, want) {
			t.Errorf("got %q, want %q among them", got, want)
		}
	}
}

func TestAnExhaustedPoolFailsFast(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t), MaxConns: 1, AcquireTimeout: time.Second}) // the start may use a part of it
	ctx, parent := g.tracer.Start(t.Context(), "request")
	err := g.InTx(ctx, pgx.TxOptions{}, func(pgx.Tx) error {
		_, err := g.Exec(ctx, "SELECT 1") // waits for the connection that its caller holds
		if e := apierror.From(err); e.Code != apierror.CodeUnavailable || e.Code.Status() != http.StatusServiceUnavailable {
			t.Errorf("got %v (%s), want unavailable", err, e.Code)
		}
		want := "no database connection is available; try again later: all 1 connections are in use and none became free within 1s; see POSTGRES_MAX_CONNS"
		if !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		left, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := g.Exec(left, "SELECT 1"); !errors.Is(err, context.Canceled) || apierror.From(err).Code != apierror.CodeCanceled {
			t.Errorf("a canceled call got %v, want canceled", err)
		}
		for series, want := range map[string]string{
			semconv.DBClientConnectionMax: " 1", semconv.DBClientConnectionTimeouts: " 1", semconv.DBClientConnectionPendingRequests: " 0",
		} {
			if got := g.series(t, series); len(got) != 1 || !strings.HasSuffix(got[0], want) {
				t.Errorf("got %s %q, want one with%s", series, got, want)
			}
		}
		if got := g.series(t, semconv.DBClientConnectionCount); len(got) != 2 || !strings.HasSuffix(got[0], "idle 0") || !strings.HasSuffix(got[1], "used 1") {
			t.Errorf("got connections %q, want none idle and one used", got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	parent.End()
	for _, s := range g.spans.Ended() {
		if s.Name() == "request" && !slices.ContainsFunc(s.Events(), func(e sdkEvent) bool { return e.Name == "waited for a database connection" }) {
			t.Errorf("the request's span lacks the wait: %v", s.Events())
		}
	}
}

func TestAWaitingCallerIsCounted(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t), MaxConns: 1, AcquireTimeout: patience})
	tx, err := g.BeginTx(t.Context(), pgx.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := g.Exec(context.WithoutCancel(t.Context()), "SELECT 1")
		done <- err
	}()
	pending := func() bool {
		return strings.HasSuffix(g.series(t, semconv.DBClientConnectionPendingRequests)[0], " 1")
	}
	eventually(t, "a pending request", pending)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if pending() {
		t.Error("a request is pending after all have ended")
	}
	// The first connection of the pool was a wait, too.
	for _, series := range []string{semconv.DBClientConnectionWaits, semconv.DBClientConnectionWaitTime} {
		if got := g.series(t, series); strings.HasSuffix(got[0], " 0") {
			t.Errorf("got %s %q, want the wait in it", series, got)
		}
	}
}

func TestQueriesAreBounded(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t), QueryTimeout: 50 * time.Millisecond})
	_, err := g.Exec(t.Context(), "SELECT pg_sleep(600)")
	if !errors.Is(err, context.DeadlineExceeded) || apierror.From(err).Code != apierror.CodeDeadlineExceeded {
		t.Errorf("got %v, want the query timeout", err)
	}
	rows, err := g.Query(t.Context(), "SELECT pg_sleep(600)")
	if err == nil {
		for rows.Next() {
		}
		err = rows.Err()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading rows gave %v, want the query timeout", err)
	}
	if _, err := g.Exec(WithoutQueryTimeout(t.Context()), "SELECT pg_sleep(0.2)"); err != nil {
		t.Errorf("a statement without a timeout gave %v", err)
	}
	if got, want := g.series(t, semconv.DBClientOperationDuration), "SELECT postgresql timeout 2"; !slices.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDatabaseReconnects(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	g := open(t, Config{URL: URL(server.URL), MaxConns: 4, AcquireTimeout: 200 * time.Millisecond, QueryTimeout: 500 * time.Millisecond})
	check := g.host.checks["postgres"]
	if err := check(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	for name, do := range map[string]struct{ away, back func() error }{
		"stopped": {server.Stop, func() error { return server.Restart(t.Context()) }},
		"paused":  {server.Pause, server.Resume},
	} {
		if err := do.away(); err != nil {
			t.Fatal(err)
		}
		var load sync.WaitGroup
		for range 20 { // far more than connections
			load.Go(func() {
				_, err := g.Exec(ctx, "SELECT 1")
				if err == nil || ctx.Err() != nil || apierror.From(err).Code.Status() < http.StatusInternalServerError {
					t.Errorf("%s: got %v, want a server error before the deadline of the context", name, err)
				}
			})
		}
		load.Wait()
		if err := check(ctx); apierror.From(err).Code != apierror.CodeUnavailable {
			t.Errorf("%s: the check gave %v, want unavailable", name, err)
		}
		if err := do.back(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a query after the server was "+name, func() bool {
			_, err := g.Exec(ctx, "SELECT 1")
			return err == nil
		})
	}
}

func TestAStartWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	g := declare(t, Config{URL: URL(server.URL), StartTimeout: patience, AcquireTimeout: 100 * time.Millisecond}, nil)
	started := make(chan error, 1)
	go func() { started <- g.host.start(t) }()
	eventually(t, "the log line of the wait", func() bool { return strings.Contains(g.host.log.String(), "waiting for the database") })
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Error(err)
	}
	if n := strings.Count(g.host.log.String(), "waiting for the database"); n != 1 {
		t.Errorf("got %d lines about waiting, want 1", n)
	}
}

func TestStartTimesOut(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		url  func(*testing.T) URL
		want []string
	}{
		"when the port is closed": {
			func(t *testing.T) URL { return URL("postgres://u:hunter2@/orders?host=" + t.TempDir()) },
			[]string{"no connection within 50ms", ":5432/orders: ", "check POSTGRES_URL"},
		},
		"when the connection is refused": {
			func(t *testing.T) URL {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				return URL("postgres://u:hunter2@" + l.Addr().String() + "/orders")
			},
			[]string{"/orders: dial tcp 127.0.0.1:", "connect: connection refused"},
		},
		"at once when the database does not exist": {
			func(t *testing.T) URL { return URL(strings.Replace(string(database(t)), "/test_", "/no_", 1)) },
			[]string{`the server has no database "no_`, "create it with createdb -h ", "or correct POSTGRES_URL"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{URL: tt.url(t), StartTimeout: 50 * time.Millisecond}
			if strings.HasPrefix(name, "at once") {
				cfg.StartTimeout = time.Hour
			}
			err := declare(t, cfg, nil).host.start(t)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is visible: %v", err)
			}
		})
	}
}

// The text of pgx would fill /readyz.
func TestAFailedLookupIsNamedAlone(t *testing.T) {
	t.Parallel()
	db := declare(t, Config{URL: "postgres://u:hunter2@nowhere.test/orders"}, nil).DB
	lookup := &net.DNSError{Err: "no such host", Name: "nowhere.test"}
	err := errors.Unwrap(db.unavailable(0, fmt.Errorf("connect:\n\tu\n: %w", lookup)))
	if want := "no connection to nowhere.test:5432/orders: lookup nowhere.test: no such host"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAStartCanBeInterrupted(t *testing.T) {
	t.Parallel()
	g := declare(t, Config{URL: URL("postgres:///orders?host=" + t.TempDir()), StartTimeout: time.Hour}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.host.starts[0](ctx) }()
	eventually(t, "the wait", func() bool { return strings.Contains(g.host.log.String(), "waiting") })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	if !strings.HasPrefix(g.host.waiting, "postgres: no connection to ") {
		t.Errorf("the reason of the wait is %q", g.host.waiting)
	}
	g.Pool().Close()
}

func TestStopHasADeadline(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t)})
	tx, err := g.BeginTx(t.Context(), pgx.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.stop(ctx); err == nil || !strings.Contains(err.Error(), "1 connections still in use") {
		t.Errorf("got %v, want the connection that is in use", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMetricsPassTheLinter(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t)})
	g.exec(t, "SELECT 1")
	found, err := testutil.GatherAndLint(g.host.telemetry.Metrics())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		if strings.HasPrefix(p.Metric, "db_") && p.Metric != semconv.DBClientConnectionCount { // the only exception
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// A short statement of a client that disconnects completes on its connection, since each new
// connection costs the server a process. A long statement is canceled.
func TestCanceledStatementKeepsItsConnection(t *testing.T) {
	t.Parallel()
	g := open(t, Config{URL: database(t), MaxConns: 1})
	leave := func(statement string) (time.Duration, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.AfterFunc(5*time.Millisecond, cancel)
		began := time.Now()
		_, err := g.Exec(ctx, statement)
		return time.Since(began), err
	}
	before := g.Pool().Stat().NewConnsCount()
	early := 0 // clients that disconnected before their statement began
	for left := 0; left < 20; {
		_, err := leave("SELECT pg_sleep(0.02)")
		if err == nil {
			left++
		} else if early++; !errors.Is(err, context.Canceled) || early > 200 {
			t.Fatal(err)
		}
	}
	if opened := g.Pool().Stat().NewConnsCount() - before; opened != 0 {
		t.Errorf("20 disconnected clients caused %d new connections", opened)
	}
	if took, err := leave("SELECT pg_sleep(60)"); !errors.Is(err, context.Canceled) || took > 30*time.Second {
		t.Errorf("a long statement ended after %s: %v", took, err)
	}
}

// The reason of a connection failure is in the log and on /readyz.
func TestConnectionErrorsHaveAReason(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	admin, err := pgx.Connect(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	if _, err := admin.Exec(t.Context(), "CREATE ROLE app LOGIN CONNECTION LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	app, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	app.User = url.User("app")
	g := open(t, Config{URL: URL(app.String()), MaxConns: 2})
	says := func(want string) {
		t.Helper()
		err := g.host.checks["postgres"](t.Context())
		if apierror.From(err).Code != apierror.CodeUnavailable || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "within") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	err = g.InTx(t.Context(), pgx.TxOptions{}, func(pgx.Tx) error {
		says("no database connection is available; try again later: the database rejects more connections: ")
		says("(SQLSTATE 53300)")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := admin.Exec(t.Context(), "ALTER ROLE app CONNECTION LIMIT -1"); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	_ = g.Ping(t.Context()) // loses the connection
	says("the database is unavailable: no connection to ")
}
