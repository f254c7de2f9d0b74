package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variable is the environment variable that stands in for a flag, as in
// SCAFFOLD_DRY_RUN for --dry-run.
func variable(flag string) string {
	return "SCAFFOLD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagsFromEnvironment sets each flag that was not given from its variable. An
// empty variable counts as unset.
func (g *globals) flagsFromEnvironment(cmd *cobra.Command) error {
	var errs []error
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		value := g.Getenv(variable(flag.Name))
		if flag.Changed || flag.Name == "help" || value == "" {
			return
		}
		if err := cmd.Flags().Set(flag.Name, value); err != nil {
			errs = append(errs, usage(cmd, "%s: %q is no value for --%s (%s)", variable(flag.Name), value, flag.Name, flag.Value.Type()))
		}
	})
	return errors.Join(errs...)
}
