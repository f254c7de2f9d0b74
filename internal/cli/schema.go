package cli

import (
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/templates/spec"
)

func newSchemaCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scaffold.yaml",
		Long: "Print the JSON Schema of scaffold.yaml. Editors complete and explain keys with it:\n" +
			"write it to a file, and put this line with its path at the top of scaffold.yaml:\n\n" +
			"  # yaml-language-server: $schema=FILE",
		Example: "  scaffold schema >scaffold.schema.json",
		Args:    atMost(0),
		RunE: func(*cobra.Command, []string) error {
			// The schema is always JSON, for any --output.
			schema, err := spec.Schema()
			if err != nil {
				return err
			}
			_, err = g.Streams.Out.Write(schema)
			return err
		},
	}
}
