package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/templates/components"
)

func newAddCommand(g *globals) *cobra.Command {
	var o componentOptions
	cmd := &cobra.Command{
		Use:   "add COMPONENT...",
		Short: "Add components to a service",
		Long: "Add components to scaffold.yaml and to the files of the service, as scaffold new --with does\n" +
			"for a new one. Your edits stay. If you edited a user-owned file that the component would\n" +
			"change, the change is printed for you to apply.\n\n" +
			"Components: " + strings.Join(components.Names(), ", ") + ".\n\n" + changeHelp,
		Example:           "  scaffold add postgres\n  scaffold add postgres --set connections=50\n  scaffold add httpclient --set upstreams.payments.url=http://payments:8080",
		ValidArgsFunction: cobra.FixedCompletions(components.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAddComponents(cmd, g, o, args)
		},
	}
	addChangeFlags(cmd, &o)
	cmd.Flags().StringArrayVar(&o.options, "set", nil, "option of the component as key=value, such as connections=50")
	cmd.AddCommand(newAddRouteCommand(g), newAddMetricCommand(g), newAddMigrationCommand(g), newAddSLOCommand(g), newAddPanelCommand(g))
	return cmd
}
