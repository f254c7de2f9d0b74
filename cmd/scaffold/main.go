// Command scaffold generates Go services that are observable from their first
// minute.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/observability-first/scaffold/internal/cli"
	"github.com/observability-first/scaffold/templates"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := cli.Main(ctx, os.Args[1:], cli.System(templates.Render))
	stop()
	os.Exit(code)
}
