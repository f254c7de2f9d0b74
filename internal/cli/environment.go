package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variable returns the environment variable for a flag, such as SCAFFOLD_DRY_RUN for --dry-run.
func variable(flag string) string {
	return "SCAFFOLD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func variableOf(flag *pflag.Flag) string {
	if other := flag.Annotations[variableAnnotation]; len(other) > 0 {
		return other[0]
	}
	return variable(flag.Name)
}

// variableAnnotation is the environment variable of a flag whose own name is unclear outside
// its command.
const variableAnnotation = "scaffold_variable"

// standIn sets the environment variable of a flag. It fails only if the flag does not exist;
// the tests of the command then find the missing variable.
func standIn(flags *pflag.FlagSet, flag, variable string) {
	_ = flags.SetAnnotation(flag, variableAnnotation, []string{variable})
}

// flagsFromEnvironment sets each flag that is not on the command line from its environment
// variable. An empty variable counts as unset.
func (g *globals) flagsFromEnvironment(cmd *cobra.Command) error {
	var errs []error
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		value := g.Getenv(variableOf(flag))
		if flag.Changed || flag.Name == "help" || value == "" {
			return
		}
		if err := cmd.Flags().Set(flag.Name, value); err != nil {
			errs = append(errs, usage(cmd, "%s: %q is no value for --%s (%s)", variableOf(flag), value, flag.Name, flag.Value.Type()))
		}
	})
	return errors.Join(errs...)
}
