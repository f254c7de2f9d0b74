package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// lockWait is how long a migration waits for that of another replica, with an attempt per second:
// 5 minutes, goose's default.
const lockWait = 300 // seconds

// Migrate applies the pending migrations passed to New. Like a start, it waits for the database.
// Concurrent calls of several replicas take turns with an advisory lock. It uses its own
// connection, without the timeouts of queries.
func (db *DB) Migrate(ctx context.Context) error {
	if db.migrations == nil {
		return errors.New("migrate: this service has no migrations; pass postgres.New a file system with files such as 0001_orders.sql")
	}
	if db.cfg.URL == "" {
		return errNoURL
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockWait))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	conn := db.poolConfig.ConnConfig.Copy()
	conn.Tracer = nil
	plain := stdlib.OpenDB(*conn)
	defer plain.Close() //nolint:errcheck // nothing is left to be written
	provider, err := db.provider(plain, goose.WithSessionLocker(locker))
	if provider == nil || err != nil {
		return err
	}
	if err := db.await(ctx, func(ctx context.Context) error { return db.pingPlain(ctx, plain) }); err != nil {
		return err
	}
	results, err := provider.Up(ctx)
	db.report(ctx, results)
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		db.report(ctx, partial.Applied)
		return fmt.Errorf("migrate %s: %s: %w", db.where(), partial.Failed.Source.Path, partial.Err)
	}
	if err != nil {
		return fmt.Errorf("migrate %s: %w", db.where(), err)
	}
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("migrate %s: read the schema version: %w", db.where(), err)
	}
	db.logger.LogAttrs(ctx, slog.LevelInfo, "schema is up to date", slog.Int("applied", len(results)), slog.Int64("schema_version", version))
	return nil
}

// pingPlain is [DB.Ping] without the pool, which a command does not open.
func (db *DB) pingPlain(ctx context.Context, plain *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, db.cfg.QueryTimeout)
	defer cancel()
	if err := plain.PingContext(ctx); err != nil {
		return db.unavailable(0, err)
	}
	return nil
}

func (db *DB) report(ctx context.Context, results []*goose.MigrationResult) {
	for _, r := range results {
		db.logger.LogAttrs(ctx, slog.LevelInfo, "migration applied",
			slog.String("migration", r.Source.Path), slog.Float64("duration_seconds", r.Duration.Round(time.Microsecond).Seconds()))
	}
}
