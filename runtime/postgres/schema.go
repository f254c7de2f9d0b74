package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// insufficientPrivilege is the SQLSTATE of a missing privilege.
const insufficientPrivilege = "42501"

// undefined reports a statement with a table or column that does not exist.
func undefined(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "42P01" || pg.Code == "42703")
}

// namedMigrations is the number of pending migrations in a message. With typical file names, a
// probe shows the whole message.
const namedMigrations = 3

type pendingError struct {
	service string
	files   []string
}

func (e pendingError) Error() string {
	count := "1 migration is"
	if n := len(e.files); n != 1 {
		count = strconv.Itoa(n) + " migrations are"
	}
	named, more := e.files, ""
	if n := len(named) - namedMigrations; n > 0 {
		named, more = named[:namedMigrations], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s pending; run %q or set POSTGRES_MIGRATE=true: %s%s", count, e.service+" migrate", strings.Join(named, ", "), more)
}

// check is the health check. Until all migrations were found applied once, it fails while some
// are pending; another process may apply them. After that it only pings: all replicas share the
// schema, so it only delays the start.
func (db *DB) check(ctx context.Context) error {
	if err := db.Ping(ctx); err != nil {
		return err
	}
	if db.current.Load() {
		return nil
	}
	files, err := db.pending(ctx)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		db.current.Store(true)
		return nil
	}
	return pendingError{db.service, files}
}

// pending lists the files of migrations that are not applied. Additional ones in the database are
// of a newer version, before a rollback.
func (db *DB) pending(ctx context.Context) ([]string, error) {
	sources, err := db.sources()
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	applied, err := db.applied(ctx)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, s := range sources {
		if !applied[s.Version] {
			files = append(files, path.Base(s.Path))
		}
	}
	return files, nil
}

func (db *DB) sources() ([]*goose.Source, error) {
	if db.migrations == nil {
		return nil, nil
	}
	plain := stdlib.OpenDB(*db.poolConfig.ConnConfig) // never connects
	defer plain.Close()                               //nolint:errcheck // nothing was opened
	provider, err := db.provider(plain)
	if provider == nil || err != nil {
		return nil, err
	}
	return provider.ListSources(), nil
}

// provider returns goose with the migrations of this binary, or nil if there are none.
func (db *DB) provider(plain *sql.DB, options ...goose.ProviderOption) (*goose.Provider, error) {
	options = append(options, goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	provider, err := goose.NewProvider(goose.DialectPostgres, plain, db.migrations, options...)
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil, nil //nolint:nilnil // no migrations are no error
	}
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return provider, nil
}

// applied reads goose's table of applied versions. HasPending and GetVersions of goose would
// create that table, which a check must not do and a read-only role cannot do. The statements
// bypass the tracer, as a ping does, because they are no traffic of the service.
func (db *DB) applied(ctx context.Context) (versions map[int64]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, db.cfg.QueryTimeout)
	defer cancel()
	err = db.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		return pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			versions, err = appliedOn(ctx, c.Conn().PgConn())
			return err
		})
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
		return nil, fmt.Errorf("the role cannot read the applied migrations: %w; run GRANT SELECT ON %s TO %s",
			err, goose.DefaultTablename, db.poolConfig.ConnConfig.User)
	}
	return versions, err
}

func appliedOn(ctx context.Context, conn *pgconn.PgConn) (map[int64]bool, error) {
	versions := map[int64]bool{}
	// Reading a missing table would log an error on the server with each check.
	exists, err := column(ctx, conn, "SELECT 1 WHERE to_regclass('"+goose.DefaultTablename+"') IS NOT NULL")
	if err != nil || len(exists) == 0 {
		return versions, err
	}
	texts, err := column(ctx, conn, "SELECT version_id FROM "+goose.DefaultTablename)
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		version, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		versions[version] = true
	}
	return versions, nil
}

// column runs a query with one text column.
func column(ctx context.Context, conn *pgconn.PgConn, query string) ([]string, error) {
	results, err := conn.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, result := range results {
		for _, row := range result.Rows {
			texts = append(texts, string(row[0]))
		}
	}
	return texts, nil
}
