package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project/grow"
)

func newAddRouteCommand(g *globals) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "route METHOD PATH",
		Short: "Add a route to a service",
		Long: "Add a route with its handler, a test of it, its line in internal/api/routes.go and its operation\n" +
			"in api/openapi.json. The name of the handler follows from the path. The handler reads the\n" +
			"parameters of the path and responds with status 501 until you write the rest.\n\n" +
			"Methods: " + strings.Join(grow.Methods(), ", ") + ".",
		Example: "  scaffold add route \"POST /v1/orders/{id}/ship\"\n  scaffold add route \"GET /v1/orders/{id}/lines\" --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			words := strings.Fields(strings.Join(args, " "))
			if len(words) != 2 {
				return usage(cmd, "write a method and a path in quotes, such as \"POST /v1/orders/{id}/ship\"")
			}
			return asArgument(cmd, runGrow(cmd.Context(), g, o, func(s grow.Service) (grow.Change, error) { return s.Route(words[0], words[1]) }))
		},
	}
	addGrowFlags(cmd, &o)
	return cmd
}
