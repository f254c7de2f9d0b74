// Command scaffold generates Go services that are observable from their first
// minute.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/observability-first/scaffold/internal/cli"
	"github.com/observability-first/scaffold/templates"
)

func main() {
	// Pipelines stop a job with SIGTERM. A second signal ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := cli.Main(ctx, os.Args[1:], cli.System(templates.Render))
	stop()
	os.Exit(code)
}
