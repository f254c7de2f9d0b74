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

func variableOf(flag *pflag.Flag) string {
	if other := flag.Annotations[variableAnnotation]; len(other) > 0 {
		return other[0]
	}
	return variable(flag.Name)
}

// variableAnnotation holds the variable of a flag whose own name says too little
// outside of its command.
const variableAnnotation = "scaffold_variable"

// standIn names the variable of a flag. It fails only for a flag that does not
// exist, and then the flag has no variable, which the tests of the command tell.
func standIn(flags *pflag.FlagSet, flag, variable string) {
	_ = flags.SetAnnotation(flag, variableAnnotation, []string{variable})
}

// flagsFromEnvironment sets each flag that was not given from its variable. An
// empty variable counts as unset.
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
