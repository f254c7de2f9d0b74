package postgres

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// URL is a connection string, as in postgres://orders:secret@db:5432/orders. It
// holds a password and hides itself like config.Secret.
type URL string

// Reveal returns the connection string itself.
func (u URL) Reveal() string { return string(u) }

// String hides the URL.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	return "[hidden]"
}

// GoString hides the URL from %#v.
func (u URL) GoString() string { return `postgres.URL("` + u.String() + `")` }

// LogValue hides the URL from slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText hides the URL.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// ConfigName is what problems of the configuration call the URL.
func (URL) ConfigName() string { return "connection string" }

// UnmarshalText takes a connection string that pgx understands.
func (u *URL) UnmarshalText(text []byte) error {
	if _, err := pgxpool.ParseConfig(string(text)); err != nil {
		return err
	}
	*u = URL(text)
	return nil
}

// Config is what the environment decides about the database. The tags are those
// of package config; a zero field means the tag's default.
type Config struct {
	URL URL `env:"URL" required:"true" secret:"true" help:"connection string, as in postgres://orders:secret@db:5432/orders"`
	// MaxConns times the instances, those that a rollout adds included, must stay
	// within what the server grants: 97 unless somebody changed it, which is
	// max_connections of 100 less superuser_reserved_connections of 3.
	MaxConns int32 `env:"MAX_CONNS" default:"10" min:"1" max:"10000" help:"connections in the pool; times the replicas, less than the server's max_connections"`
	// AcquireTimeout is how long a call waits for a connection.
	AcquireTimeout time.Duration `env:"ACQUIRE_TIMEOUT" default:"1s" min:"1ms" help:"longest wait for a connection from the pool"`
	ConnectTimeout time.Duration `env:"CONNECT_TIMEOUT" default:"2s" min:"10ms" help:"longest time to open a connection"`
	// QueryTimeout bounds each statement, its rows included, beside the
	// deadline of the request. See [WithoutQueryTimeout].
	QueryTimeout time.Duration `env:"QUERY_TIMEOUT" default:"5s" min:"1ms" help:"longest time for one statement"`
	// StartTimeout is how long a start waits for the database.
	StartTimeout time.Duration `env:"START_TIMEOUT" default:"30s" min:"0s" help:"how long a start waits for the database"`
	Migrate      bool          `env:"MIGRATE" help:"bring the schema up to date at start"`
}

func (c Config) withDefaults() Config {
	c.MaxConns = cmp.Or(c.MaxConns, 10)
	c.AcquireTimeout = cmp.Or(c.AcquireTimeout, time.Second)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 2*time.Second)
	c.QueryTimeout = cmp.Or(c.QueryTimeout, 5*time.Second)
	c.StartTimeout = cmp.Or(c.StartTimeout, 30*time.Second)
	return c
}

// leftTime is the time that a statement has left when its context ends. It is longer than
// most statements take: pgx closes the connection of one that does not end, and a new
// connection costs the server a process.
const leftTime = 100 * time.Millisecond

// pool translates the configuration for pgx. A missing URL gives a pool that is
// never opened, for a service that only describes itself.
func (c Config) pool() (*pgxpool.Config, error) {
	p, err := pgxpool.ParseConfig(c.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("postgres: the connection string: %w; write one such as postgres://orders:secret@db:5432/orders", err)
	}
	p.MaxConns = c.MaxConns
	p.PingTimeout = c.AcquireTimeout
	p.ConnConfig.ConnectTimeout = c.ConnectTimeout
	p.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn(), DeadlineDelay: leftTime}
	}
	// A tenth of an hour spreads the reconnects of replicas that started
	// together.
	p.MaxConnLifetimeJitter = p.MaxConnLifetime / 10
	return p, nil
}
