package cli

import (
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project/grow"
)

func newAddMigrationCommand(g *globals) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:     "migration NAME",
		Short:   "Add a database migration to a service",
		Long:    "Add a file with the next number to the migrations of the service.",
		Example: "  scaffold add migration add-shipped-at\n  scaffold add migration drop_legacy_name --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "write one name, such as add-shipped-at")
			}
			return runGrow(cmd.Context(), g, o, func(s grow.Service) (grow.Change, error) { return s.Migration(args[0]) })
		},
	}
	addGrowFlags(cmd, &o)
	return cmd
}
