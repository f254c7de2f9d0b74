package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	otelsemconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// notableWait is the minimum wait for a connection that is recorded in a trace.
const notableWait = 10 * time.Millisecond

// tracers returns the tracers for pgx: otelpgx for spans, and tracer for durations and deadlines.
// The metrics of otelpgx are off; they would be a second set with other names.
func (db *DB) tracers(provider trace.TracerProvider, conn *pgx.ConnConfig) pgx.QueryTracer {
	spans := otelpgx.NewTracer(
		otelpgx.WithTracerProvider(provider),
		otelpgx.WithMeterProvider(noop.NewMeterProvider()),
		otelpgx.WithSpanNameFunc(operation),
		otelpgx.WithDisableAcquireTracer(),
		// otelpgx would copy the configuration of the connection for each query.
		otelpgx.WithDisableConnectionDetailsInAttributes(),
		otelpgx.WithTracerAttributes(
			otelsemconv.ServerAddress(conn.Host), otelsemconv.ServerPort(int(conn.Port)), otelsemconv.DBNamespace(conn.Database)),
	)
	return multitracer.New(spans, &tracer{db: db})
}

// tracer measures statements and sets their deadline: pgx uses the context that it returns for
// the rest of the call, including rows.
type tracer struct{ db *DB }

// call is a statement, batch or copy in progress.
type call struct {
	began     time.Time
	operation string
	cancel    context.CancelFunc
	err       error // of a statement in a batch
	ended     bool  // pgx ends a failed batch twice
}

type callKey struct{}

func (t *tracer) begin(ctx context.Context, operation string) context.Context {
	c := &call{began: time.Now(), operation: operation, cancel: func() {}}
	if limit := t.db.cfg.QueryTimeout; limit > 0 && ctx.Value(untimedKey{}) == nil {
		ctx, c.cancel = context.WithTimeout(ctx, limit)
	}
	return context.WithValue(ctx, callKey{}, c)
}

func (t *tracer) end(ctx context.Context, err error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok || c.ended {
		return
	}
	c.ended = true
	c.cancel()
	if err == nil {
		err = c.err
	}
	took := time.Since(c.began).Seconds()
	o := t.db.duration.WithLabelValues(semconv.DBSystemPostgreSQL, c.operation, errorType(err))
	sc := trace.SpanContextFromContext(ctx)
	if e, ok := o.(prometheus.ExemplarObserver); ok && sc.IsSampled() {
		e.ObserveWithExemplar(took, prometheus.Labels{semconv.ExemplarTraceID: sc.TraceID().String()})
		return
	}
	o.Observe(took)
}

// TraceQueryStart implements [pgx.QueryTracer].
func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return t.begin(ctx, operation(data.SQL))
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (t *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t.end(ctx, data.Err)
}

// TraceBatchStart implements [pgx.BatchTracer].
func (t *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return t.begin(ctx, operationBatch)
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (t *tracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	if c, ok := ctx.Value(callKey{}).(*call); ok && data.Err != nil {
		c.err = data.Err
	}
}

// TraceBatchEnd implements [pgx.BatchTracer].
func (t *tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	t.end(ctx, data.Err)
}

// TraceCopyFromStart implements [pgx.CopyFromTracer].
func (t *tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return t.begin(ctx, operationCopy)
}

// TraceCopyFromEnd implements [pgx.CopyFromTracer].
func (t *tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	t.end(ctx, data.Err)
}

// acquisition is a call that waits for a connection.
type acquisition struct {
	began  time.Time
	cancel context.CancelFunc
}

type acquisitionKey struct{}

// outcome returns the error of an acquisition to the DB's method, which can then distinguish a
// missing connection from a failed statement.
type outcome struct{ err error }

type outcomeKey struct{}

// TraceAcquireStart implements [pgxpool.AcquireTracer].
func (t *tracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	t.db.collector.pending.Add(1)
	a := &acquisition{began: time.Now()}
	ctx, a.cancel = context.WithTimeout(ctx, t.db.cfg.AcquireTimeout)
	return context.WithValue(ctx, acquisitionKey{}, a)
}

// TraceAcquireEnd implements [pgxpool.AcquireTracer].
func (t *tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	a, ok := ctx.Value(acquisitionKey{}).(*acquisition)
	if !ok {
		return
	}
	a.cancel()
	t.db.collector.pending.Add(-1)
	if errors.Is(data.Err, context.DeadlineExceeded) {
		t.db.collector.timeouts.Add(1)
	}
	if o, ok := ctx.Value(outcomeKey{}).(*outcome); ok {
		o.err = data.Err
	}
	if waited := time.Since(a.began); waited >= notableWait || data.Err != nil {
		trace.SpanFromContext(ctx).AddEvent("waited for a database connection", trace.WithAttributes(
			attribute.Float64("duration_seconds", waited.Seconds()), attribute.Bool("acquired", data.Err == nil)))
	}
}

type untimedKey struct{}

// WithoutQueryTimeout removes the query timeout from statements with the returned context. Use it
// for reports, maintenance and LISTEN.
func WithoutQueryTimeout(ctx context.Context) context.Context {
	return context.WithValue(ctx, untimedKey{}, true)
}
