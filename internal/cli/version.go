package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project"
)

// version is the JSON document of scaffold version. Its keys are public.
type version struct {
	Version  string `json:"version"`
	Released bool   `json:"released"`
	Go       string `json:"go"`
	Runtime  string `json:"runtime"` // import path of the runtime module
	// Only for a scaffold that is not released; see [project.Build].
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Checkout string `json:"checkout,omitempty"`
}

func newVersionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  atMost(0),
		RunE: func(*cobra.Command, []string) error {
			b := g.Build
			v := version{
				Version: b.Version, Released: b.Released, Go: b.Go, Runtime: project.RuntimeImport(),
				Revision: b.Revision, Modified: b.Modified, Checkout: b.Checkout,
			}
			if !g.emit(v) {
				g.printf("scaffold %s (%s)\n%s", v.Version, v.Go, origin(b))
			}
			return nil
		},
	}
}

// origin returns a line each for commit and checkout of a scaffold that is not released.
func origin(b project.Build) string {
	if b.Released {
		return ""
	}
	commit := cmp.Or(b.Revision, "unknown: built without it (-buildvcs=false, or not from git)")
	if b.Modified {
		commit += ", with uncommitted changes"
	}
	return "commit:   " + commit + "\ncheckout: " + cmp.Or(b.Checkout, "unknown: built with -trimpath") + "\n"
}
