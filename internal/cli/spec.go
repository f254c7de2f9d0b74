package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/templates/spec"
)

func newSpecCommand(g *globals) *cobra.Command {
	var o project.Options
	cmd := &cobra.Command{
		Use:   "spec [DIR]",
		Short: "Print a service's spec with every default and where it came from",
		Args:  atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Dir = args[0]
			}
			return runSpec(g, o)
		},
	}
	cmd.Flags().StringVar(&o.Defaults, "defaults", "", "file with defaults of your organization (default: the one last used)")
	return cmd
}

// effective is the JSON document of scaffold spec. Its keys are public.
type effective struct {
	File   string       `json:"file"`
	Values []spec.Value `json:"values"`
}

func runSpec(g *globals, o project.Options) error {
	dir, err := project.FindService(o.Dir)
	if err != nil {
		return err
	}
	s, err := project.LoadSpec(dir, o.Defaults)
	if err != nil {
		return err
	}
	if g.emit(effective{File: filepath.Join(dir, spec.FileName), Values: s.Effective()}) {
		return nil
	}
	g.printf("%s", s.EffectiveYAML())
	return nil
}
