package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Host is the service of a database, such as *runtime.Service.
type Host interface {
	// Telemetry returns the telemetry of the service.
	Telemetry() *telemetry.Telemetry
	// OnStart registers a hook that runs before the service is ready.
	OnStart(name string, start func(context.Context) error)
	// OnStop registers a hook that runs after the last request.
	OnStop(name string, stop func(context.Context) error)
	// Check registers a health check of a dependency that all replicas share.
	Check(name string, check func(context.Context) error)
	// Waiting sets the error that /readyz shows for a check that has not succeeded yet, while a
	// start hook waits.
	Waiting(check string, err error)
	// Command declares a command of the service's binary.
	Command(name, help string, run func(ctx context.Context) error)
}

var errNoURL = errors.New("postgres: no connection string; set POSTGRES_URL to one such as postgres://orders:secret@db:5432/orders")

// retryInterval is the time between two attempts to connect during a start.
const retryInterval = 250 * time.Millisecond

// DB is the database of a service. It is safe for concurrent use after the service has started.
type DB struct {
	cfg        Config
	poolConfig *pgxpool.Config
	migrations fs.FS
	logger     *slog.Logger
	duration   *prometheus.HistogramVec
	collector  *collector
	pool       atomic.Pointer[pgxpool.Pool]

	waiting func(error) // shows what a start waits for

	service string      // service name of all signals; that of the binary unless OTEL_SERVICE_NAME is set
	current atomic.Bool // all migrations were found applied once
}

// New declares the database of a host: metrics, a health check, hooks that open and close the
// pool, and the command migrate if there are migrations. The service is not ready before all
// migrations are applied, by this or another process. Nothing connects before the host starts.
//
// Migrations are files such as 0001_orders.sql in the format of goose, in the root of the file
// system; nil means none. A service has one DB.
func New(host Host, cfg Config, migrations fs.FS) (*DB, error) {
	tel := host.Telemetry()
	db := &DB{cfg: cfg.withDefaults(), migrations: migrations, logger: tel.Logger(), service: tel.Service()}
	db.waiting = func(err error) { host.Waiting("postgres", err) }
	var err error
	if db.poolConfig, err = db.cfg.pool(); err != nil {
		return nil, err
	}
	db.poolConfig.ConnConfig.Tracer = db.tracers(tel.TracerProvider(), db.poolConfig.ConnConfig)
	if err := db.declare(tel.Metrics()); err != nil {
		return nil, err
	}
	host.OnStart("postgres", db.start)
	host.OnStop("postgres", db.stop)
	host.Check("postgres", db.check)
	if migrations != nil {
		host.Command("migrate", "Apply pending database migrations.", db.Migrate)
	}
	return db, nil
}

func (db *DB) declare(reg *telemetry.Registry) error {
	var err error
	db.duration, err = reg.Histogram(semconv.DBClientOperationDuration, "Duration of a database statement, including its rows.",
		semconv.DatabaseBuckets(), semconv.LabelDBSystem, semconv.LabelDBOperation, semconv.LabelErrorType)
	if err != nil {
		return err
	}
	name := cmp.Or(db.poolConfig.ConnConfig.Database, semconv.DBSystemPostgreSQL)
	db.collector = newCollector(name, db.cfg.MaxConns, db.pool.Load)
	if err := reg.Register(db.collector); err != nil {
		return fmt.Errorf("postgres: %w; call postgres.New once per service", err)
	}
	return nil
}

// start opens the pool, waits for the database, and migrates if configured.
func (db *DB) start(ctx context.Context) error {
	if db.cfg.URL == "" {
		return errNoURL
	}
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), db.poolConfig)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	db.pool.Store(pool)
	if err := db.await(ctx, db.Ping); err != nil {
		return err
	}
	if db.cfg.Migrate {
		return db.Migrate(ctx)
	}
	return nil
}

// await waits until a ping succeeds. It returns at once if the database rejects the service
// permanently.
func (db *DB) await(ctx context.Context, ping func(context.Context) error) error {
	deadline := time.Now().Add(db.cfg.StartTimeout)
	for first := true; ; first = false {
		err := ping(ctx)
		if err == nil {
			return nil
		}
		if f, ok := errors.AsType[*apierror.Error](err); ok {
			err = f.Unwrap()
		}
		if refused(err) {
			return fmt.Errorf("postgres: %w", err)
		}
		if !time.Now().Add(retryInterval).Before(deadline) {
			return fmt.Errorf("postgres: no connection within %s (POSTGRES_START_TIMEOUT): %w; check POSTGRES_URL or start the database", db.cfg.StartTimeout, err)
		}
		db.waiting(err)
		if first {
			db.logger.LogAttrs(ctx, slog.LevelWarn, "waiting for the database", slog.String("server", db.where()), slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryInterval):
		}
	}
}

// SQLSTATEs without a connection.
const (
	tooManyConnections = "53300"
	noDatabase         = "3D000"
)

// refused reports a permanent rejection: a wrong password or user (class 28), or a missing
// database.
func refused(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == noDatabase || len(pg.Code) == 5 && pg.Code[:2] == "28")
}

// where returns the address of the database without its password.
func (db *DB) where() string {
	c := db.poolConfig.ConnConfig
	return fmt.Sprintf("%s:%d/%s", c.Host, c.Port, c.Database)
}

// stop closes the pool. It waits for connections in use until the context ends, because the
// shutdown waits for their statements.
func (db *DB) stop(ctx context.Context) error {
	pool := db.pool.Load()
	if pool == nil {
		return nil
	}
	closed := make(chan struct{})
	go func() {
		pool.Close()
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("postgres: %d connections still in use", pool.Stat().AcquiredConns())
	}
}
