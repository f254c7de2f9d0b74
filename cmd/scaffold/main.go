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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.System(templates.Render))
	stop()
	os.Exit(code)
}
