// Package postgres is the component of a PostgreSQL database.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/component"
)

// Options are the options in scaffold.yaml.
type Options struct {
	// Connections is the budget of the database for all instances of the service together, in
	// each environment. The pool size of each instance follows from it.
	Connections int `yaml:"connections"`
}

const (
	// defaultConnections is the number of connections of ordinary roles in the default
	// configuration of PostgreSQL: max_connections is 100, and superuser_reserved_connections is 3.
	defaultConnections = 97
	// connectionsKey is the path of the budget.
	connectionsKey = "components.postgres.connections"
	// maxConnections is the maximum of max_connections in the source of PostgreSQL, MAX_BACKENDS.
	maxConnections = 262143
	// maxPool is the maximum of POSTGRES_MAX_CONNS in the runtime.
	maxPool = 10000
	// migrationConnections are not part of the pools, so that `migrate` gets a connection while
	// every pool is full. Migrations run one at a time, so one is enough.
	migrationConnections = 1
)

// templates has the files and slots, and what package record recorded.
//
//go:embed schema.json all:files all:slots all:recorded
var templates embed.FS

// Defaults implements [component.Component].
func (o *Options) Defaults(given func(option string) bool) {
	if !given("connections") {
		o.Connections = defaultConnections
	}
}

// Check implements [component.Component].
func (o *Options) Check(s component.Service, report func(path, format string, args ...any)) {
	if o.Connections < 1 || o.Connections > maxConnections {
		report(connectionsKey, "%d is not a number of connections; use 1 to %d", o.Connections, maxConnections)
		return
	}
	if s.Instances > maxConnections {
		report("deploy.replicas.max", "%d instances need more connections than PostgreSQL allows; use fewer than %d", s.Instances, maxConnections)
		return
	}
	all := s.Instances + s.Surge
	if s.Instances < 1 || o.budget().Share(all) > 0 {
		return
	}
	path := connectionsKey
	if !s.Given(path) {
		path = "deploy.replicas.max"
	}
	report(path, "%d connections are too few for %d instances (%d + %d during a rollout) and a migration; "+
		"write %d or more if the database allows it, or lower deploy.replicas.max",
		o.Connections, all, s.Instances, s.Surge, all+migrationConnections)
}

func (o *Options) budget() component.Budget {
	return component.Budget{
		Key: connectionsKey, Variable: "POSTGRES_MAX_CONNS", Unit: "connections",
		Total: o.Connections, Reserved: migrationConnections, ReservedFor: "a migration", Most: maxPool,
	}
}

// data are the values in the templates.
type data struct {
	// PoolSize is the number of connections in the pool of one instance, and PoolArithmetic explains it.
	PoolSize       int
	PoolArithmetic string
	Database       string // name of the database
	Table          string // name of the table, quoted if necessary
}

// Parts implements [component.Component].
func (o *Options) Parts(s component.Service) component.Parts {
	budget, comment := o.budget(), ""
	if o.Connections == defaultConnections {
		comment = "max_connections of PostgreSQL (100) less 3 reserved for superusers"
	}
	return component.Parts{
		Review:    map[string]string{"connections": comment},
		Templates: templates,
		Data: data{
			PoolSize: max(1, budget.Share(s.Instances+s.Surge)),
			PoolArithmetic: fmt.Sprintf("(%d - %d for a migration) / (%d replicas + %d during a rollout)",
				o.Connections, migrationConnections, s.Instances, s.Surge),
			Database: strings.ReplaceAll(s.Name, "-", "_"),
			Table:    table(s.Plural),
		},
		Files: []component.File{
			{Path: "internal/store/{{.One.Snake}}.go", Template: "files/store.go.tmpl"},
			{Path: migrationsDirectory + "/migrations.go", Template: "files/migrations.go.tmpl"},
			{Path: migrationsDirectory + "/0001_{{.Many.Snake}}.sql", Template: "files/0001.sql.tmpl"},
		},
		Reserved:   []string{"postgres", "postgrestest", "storetest", "migrations", "pgx", "pgxpool", "pgconn", "goose", "columns", "db", "inserted", "row", "rows", "scan"},
		Prefixes:   []string{"POSTGRES"},
		Stores:     true,
		Alerts:     []slo.ComponentAlert{poolSaturated()},
		Kubectl:    []slo.Command{{Purpose: "read the log of migrations that failed", Line: "logs POD -c migrate"}},
		Dependency: new(Dependency()),
		Budget:     &budget,
		Doubles:    []component.Double{{Name: "PostgreSQL", Variable: urlVariable, Check: "postgres", Required: true, Start: startServer}},
		Migrations: migrations(s.Plural),
	}
}

const urlVariable = "POSTGRES_URL"

func startServer(ctx context.Context) (component.Server, []string, error) {
	server, err := postgrestest.New(ctx)
	if errors.Is(err, postgrestest.ErrNotFound) {
		return nil, nil, fmt.Errorf("%w\nscaffold verify starts its own server and never connects to one with data", err)
	}
	if err != nil {
		return nil, nil, err
	}
	return server, []string{urlVariable + "=" + server.URL, "POSTGRES_MIGRATE=true", "POSTGRES_CONNECT_TIMEOUT=500ms"}, nil
}
