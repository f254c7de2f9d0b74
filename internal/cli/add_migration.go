package cli

import (
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project/grow"
)

func newAddMigrationCommand(g *globals) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "migration NAME",
		Short: "Add a migration of the schema to a service",
		Long: "Add a migration with the next number. It changes nothing until you write the change.\n" +
			"Nothing is written if numbers are missing or used twice.",
		Example: "  scaffold add migration add-shipped-at",
		Args:    named("such as add-shipped-at"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asArgument(cmd, runGrow(cmd.Context(), g, o, func(s grow.Service) (grow.Change, error) {
				return grow.Migration(s, args[0])
			}))
		},
	}
	addGrowFlags(cmd, &o)
	return cmd
}
