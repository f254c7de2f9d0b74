package cli

import (
	"github.com/spf13/cobra"
)

// version is the document of scaffold version. Its keys are public.
type version struct {
	Version  string `json:"version"`
	Released bool   `json:"released"`
	Go       string `json:"go"`
	Runtime  string `json:"runtime"` // import path of the runtime module
}

func newVersionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which scaffold this is",
		Args:  atMost(0),
		RunE: func(*cobra.Command, []string) error {
			v := version{Version: g.Build.Version, Released: g.Build.Released, Go: g.Build.Go, Runtime: runtimeImport()}
			if !g.emit(v) {
				g.printf("scaffold %s (%s)\n", v.Version, v.Go)
			}
			return nil
		},
	}
}
