package cli

import (
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/templates/spec"
)

func newSchemaCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scaffold.yaml",
		Args:  atMost(0),
		RunE: func(*cobra.Command, []string) error {
			// The schema is always JSON, for any --output.
			_, err := g.Streams.Out.Write(spec.Schema())
			return err
		},
	}
}
