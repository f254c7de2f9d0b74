// Command scaffold generates Go services that are observable from their first
// minute.
package main

import (
	"cmp"
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/observability-first/scaffold/internal/cli"
	"github.com/observability-first/scaffold/templates"
)

// revision is the commit of the build, set by make install: in a work tree of git
// the go command records none.
var revision string

func main() {
	// Pipelines stop a job with SIGTERM. A second signal ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	program := cli.System(templates.Render)
	program.Build.Revision = cmp.Or(program.Build.Revision, revision)
	code := cli.Main(ctx, os.Args[1:], program)
	stop()
	os.Exit(code)
}
