// Package component defines what a part of a service has to provide: an optional component, such as a database, or the
// pattern. Each is a package in templates/components or templates/patterns with all that scaffold knows about it;
// docs/components.md describes how to write one.
package component

import (
	"context"
	"io/fs"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/slo"
)

// Component is the options of a component in scaffold.yaml: a pointer to a struct with yaml tags.
type Component interface {
	// Defaults sets the options that scaffold.yaml leaves out. given reports whether it has an option.
	Defaults(given func(option string) bool)
	// Check reports invalid options. A path is that of a key in scaffold.yaml.
	Check(s Service, report func(path, format string, args ...any))
	// Parts returns what the component adds to a service. It is called with valid options.
	Parts(s Service) Parts
}

// Service is what a component or pattern may know about its service.
type Service struct {
	Name string
	// Plural is that of the resource: words joined by hyphens.
	Plural string
	// Instances is the maximum of instances, and Surge the number that a rollout adds to it.
	Instances, Surge int
	// Prefixes are the [Parts.Prefixes] of all components, for options that become environment variables.
	Prefixes []string
	// Stored reports whether a component stores the resource. Only patterns know it.
	Stored bool
	// Given reports whether scaffold.yaml has a key, such as deploy.replicas.max.
	Given func(path string) bool
}

// Parts are what a component or pattern adds to a service. All but Templates are optional.
type Parts struct {
	// Templates has a file for each of Files, and slots/*.tmpl with a {{define}} for each slot of the service's own
	// templates that the component or pattern fills. A component may also fill slots in the files of patterns. The
	// directory recorded is written by package record: the requirements of a service with the component, unless they
	// are those of any service, and its declared signals.
	Templates fs.FS
	// Data is .Component in these templates.
	Data any
	// Files are files of the service that only services with this component or pattern have.
	Files []File
	// Review has options that a new scaffold.yaml contains even with their defaults, since every team should review
	// them, and a comment for each.
	Review map[string]string
	// Stores means that the component stores the resource, instead of the store in memory.
	Stores bool
	// Reserved are packages and other identifiers of the generated code, which are no names for a resource.
	Reserved []string
	// Prefixes are the first words of the component's environment variables, such as CACHE of CACHE_URL.
	Prefixes []string
	// Summary describes a pattern in a few words, for the help of scaffold new.
	Summary string
	// ResourcePath is where a pattern serves the resource over HTTP, such as /v1/orders.
	ResourcePath string
	// Alerts are tickets about the component.
	Alerts []slo.ComponentAlert
	// Kubectl are commands on pods for the runbooks, without kubectl and its namespace.
	Kubectl []slo.Command
	// Dependency is what the service calls with the component: its rows and its utilization on the dashboards.
	Dependency *dashboards.Dependency
	// Budget is a limit that all instances share.
	Budget *Budget
	// Doubles are what scaffold verify starts, instead of what the component connects to.
	Doubles []Double
	// Migrations are the changes of the schema that the component stores data in.
	Migrations *Migrations
}

// Migrations are numbered files, such as 0002_add_shipped_at.sql. scaffold add migration adds one.
type Migrations struct {
	Directory string // such as migrations
	// Write returns a new migration, which changes nothing, and the line that the user replaces.
	Write func(name string) (text string, line int)
}

// File is a file of a service.
type File struct {
	Path     string // relative to the service; a template, such as internal/store/{{.One.Snake}}.go
	Template string // in [Parts.Templates]
	Owner    Owner  // default: UserOwned
	Was      string // Path in older versions of scaffold, if it had another; a template, too
}

// Owner is who changes a file after it was created. The values are part of
// `.scaffold/manifest.json`.
type Owner string

const (
	// Generated files are rewritten on each run.
	Generated Owner = "generated"
	// Merged files may be edited. Changes of their templates are merged with the edits, from the previous generated
	// content in .scaffold/base.txtar.
	Merged Owner = "merged"
	// UserOwned files are the user's from the first edit on. Without edits, they are rewritten or removed like the others.
	UserOwned Owner = "user-owned"
	// Block files are user-owned, except for the part between two markers, which is rewritten
	// on each run.
	Block Owner = "block"
)

// Budget is a limit that all instances of a service share, such as the connections that a database allows.
type Budget struct {
	Key      string // of the limit in scaffold.yaml
	Variable string // environment variable of what one instance may use
	Unit     string // what is counted, such as connections
	Total    int
	// Reserved is the part of Total that no instance may use, and ReservedFor its purpose, such as a migration.
	Reserved    int
	ReservedFor string
	// Most is the maximum of what one instance may use.
	Most int
}

// Share returns what one instance may use if there are so many; 0 if there are too many.
func (b Budget) Share(instances int) int { return min((b.Total-b.Reserved)/max(1, instances), b.Most) }

// Double is a server that takes the place of what the component connects to while scaffold verify runs the service.
// Each is stopped once under load and started again.
type Double struct {
	Name string // in reports, such as Redis
	// Variable is the environment variable with its address. A service that does not read it needs no double.
	Variable string
	// Check is the name of the health check that must fail while the server is stopped.
	Check string
	// Alert is the name of the [slo.ComponentAlert] that must fire meanwhile, if any, with AlertLabels.
	Alert       string
	AlertLabels map[string]string
	// Required means that requests fail meanwhile, so that an alert must page.
	Required bool
	// Start starts it on the loopback interface, and returns the environment variables of the service.
	Start func(context.Context) (server Server, env []string, err error)
}

// Server is a local server that can be stopped and restarted with the same address and data.
type Server interface {
	Stop() error
	Restart(context.Context) error
	// Close stops it and removes its data.
	Close() error
}
