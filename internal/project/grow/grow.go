// Package grow adds a route, a metric, a migration or a panel to the files of a service, as its team would by hand. It reads
// files and returns new ones; package cli writes them.
package grow

import (
	"io/fs"

	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// Service is the service to add to.
type Service struct {
	Dir   string // as the user would write it, for errors
	Files fs.FS  // of the directory
	Spec  spec.Service
}

// Change is the files to write, and what the user does next.
type Change struct {
	Files []templates.File
	Next  []string // sentences
}
