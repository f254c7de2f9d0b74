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

// URL is a connection string, such as postgres://orders:secret@db:5432/orders. It contains a
// password and is hidden like config.Secret.
type URL string

// Reveal returns the connection string.
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

// ConfigName implements config.Named.
func (URL) ConfigName() string { return "connection string" }

// UnmarshalText accepts connection strings that pgx can parse.
func (u *URL) UnmarshalText(text []byte) error {
	if _, err := pgxpool.ParseConfig(string(text)); err != nil {
		return err
	}
	*u = URL(text)
	return nil
}

// Config is the configuration from environment variables. The tags are those of package config. A
// zero field means the tag's default.
type Config struct {
	URL URL `env:"URL" required:"true" secret:"true" help:"connection string, such as postgres://orders:secret@db:5432/orders"`
	// MaxConns multiplied by the maximum number of instances, including those during a rollout,
	// must not exceed the limit of the server. By default that is 97: max_connections of 100
	// minus superuser_reserved_connections of 3.
	MaxConns int32 `env:"MAX_CONNS" default:"10" min:"1" max:"10000" help:"maximum number of connections in the pool; multiplied by the replicas, less than the server's max_connections"`
	// AcquireTimeout is the maximum time that a call waits for a connection.
	AcquireTimeout time.Duration `env:"ACQUIRE_TIMEOUT" default:"1s" min:"1ms" help:"maximum wait for a connection from the pool"`
	ConnectTimeout time.Duration `env:"CONNECT_TIMEOUT" default:"2s" min:"10ms" help:"maximum time to open a connection"`
	// QueryTimeout is the maximum time of each statement, including its rows, in addition to the
	// deadline of the request. See [WithoutQueryTimeout].
	QueryTimeout time.Duration `env:"QUERY_TIMEOUT" default:"5s" min:"1ms" help:"maximum time for a statement"`
	// StartTimeout is the maximum time that a start or a migration waits for the database.
	StartTimeout time.Duration `env:"START_TIMEOUT" default:"30s" min:"0s" help:"maximum time that a start or a migration waits for the database"`
	Migrate      bool          `env:"MIGRATE" help:"apply pending migrations at start"`
}

func (c Config) withDefaults() Config {
	c.MaxConns = cmp.Or(c.MaxConns, 10)
	c.AcquireTimeout = cmp.Or(c.AcquireTimeout, time.Second)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 2*time.Second)
	c.QueryTimeout = cmp.Or(c.QueryTimeout, 5*time.Second)
	c.StartTimeout = cmp.Or(c.StartTimeout, 30*time.Second)
	return c
}

// leftTime is the time that a statement has left when its context ends. Most statements are
// shorter. pgx closes the connection of a statement that does not end, and a new connection costs
// the server a process.
const leftTime = 100 * time.Millisecond

// pool returns the configuration for pgx. Without a URL it is for a pool that is never opened, of
// a service that only prints its description.
func (c Config) pool() (*pgxpool.Config, error) {
	p, err := pgxpool.ParseConfig(c.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("postgres: invalid connection string: %w; write one such as postgres://orders:secret@db:5432/orders", err)
	}
	p.MaxConns = c.MaxConns
	p.PingTimeout = c.AcquireTimeout
	p.ConnConfig.ConnectTimeout = c.ConnectTimeout
	p.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn(), DeadlineDelay: leftTime}
	}
	// A tenth of an hour spreads the reconnects of replicas that started at the same time.
	p.MaxConnLifetimeJitter = p.MaxConnLifetime / 10
	return p, nil
}
