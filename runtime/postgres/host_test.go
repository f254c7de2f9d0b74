package postgres

import (
	"bytes"
	"context"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// patience is the timeout of a blocked test.
const patience = time.Minute

// database returns a new database on the shared server.
func database(t *testing.T) URL {
	t.Helper()
	return URL(postgrestest.Database(t))
}

type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type host struct {
	telemetry *telemetry.Telemetry
	log       lines
	starts    []func(context.Context) error
	stops     []func(context.Context) error
	checks    map[string]func(context.Context) error
	waiting   string
	commands  map[string]func(context.Context) error
}

func newHost(t testing.TB) *host {
	t.Helper()
	h := &host{checks: map[string]func(context.Context) error{}, commands: map[string]func(context.Context) error{}}
	var err error
	if h.telemetry, err = telemetry.New(telemetry.Options{Service: "orders", Stdout: &h.log}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *host) Telemetry() *telemetry.Telemetry { return h.telemetry }
func (h *host) OnStart(_ string, start func(context.Context) error) {
	h.starts = append(h.starts, start)
}
func (h *host) OnStop(_ string, stop func(context.Context) error)           { h.stops = append(h.stops, stop) }
func (h *host) Check(name string, check func(context.Context) error)        { h.checks[name] = check }
func (h *host) Waiting(check string, err error)                             { h.waiting = check + ": " + err.Error() }
func (h *host) Command(name, _ string, run func(ctx context.Context) error) { h.commands[name] = run }

// start runs the start hooks, and the stop hooks after the test.
func (h *host) start(t testing.TB) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		for _, stop := range slices.Backward(h.stops) {
			if err := stop(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	for _, start := range h.starts {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// rig is a started DB with recorded spans and metrics.
type rig struct {
	*DB

	host   *host
	spans  *tracetest.SpanRecorder
	tracer trace.Tracer
}

func declare(t testing.TB, cfg Config, migrations fs.FS) *rig {
	t.Helper()
	g := &rig{host: newHost(t), spans: tracetest.NewSpanRecorder()}
	var err error
	if g.DB, err = New(g.host, cfg, migrations); err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(g.spans))
	g.tracer = provider.Tracer("test")
	g.poolConfig.ConnConfig.Tracer = g.tracers(provider, g.poolConfig.ConnConfig)
	return g
}

func open(t testing.TB, cfg Config) *rig {
	t.Helper()
	g := declare(t, cfg, nil)
	if err := g.host.start(t); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *rig) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := g.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (g *rig) number(t testing.TB, sql string) int {
	t.Helper()
	var n int
	if err := g.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// series returns a metric as {label values} value, sorted; the value of a histogram is its count.
func (g *rig) series(t testing.TB, metric string) []string {
	t.Helper()
	families, err := g.host.telemetry.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		for _, m := range f.GetMetric() {
			var words []string
			for _, l := range m.GetLabel() {
				if l.GetValue() != "" {
					words = append(words, l.GetValue())
				}
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			list = append(list, strings.Join(append(words, strconv.FormatFloat(value, 'g', -1, 64)), " "))
		}
	}
	slices.Sort(list)
	return list
}

// eventually waits for a condition of other goroutines.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("%s did not happen within %s", what, patience)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// countUp increments a counter in a transaction that conflicts with others.
func countUp(ctx context.Context, db *DB) error {
	return db.InTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, "SELECT n FROM counter").Scan(&n); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE counter SET n = $1", n+1)
		return err
	})
}
