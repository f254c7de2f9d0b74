package cli

import (
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project"
)

func newCopyProgramCommand() *cobra.Command {
	return &cobra.Command{
		Use:    project.CopyProgramCommand + " TO PROGRAM",
		Short:  "Copy the program of a service",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		// The environment may set flags of the command that runs go run.
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE:              func(_ *cobra.Command, args []string) error { return project.CopyProgram(args[1], args[0]) },
	}
}
