package cli

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project"
)

func newResolveCommand(g *globals) *cobra.Command {
	var o project.Options
	cmd := &cobra.Command{
		Use:   "resolve [FILE...]",
		Short: "Record that conflicts are resolved",
		Long: "Record that you resolved the conflicts which scaffold generate, add, remove or rename left\n" +
			"in files: you removed their conflict markers. Until then only check, diff and resolve run.\n\n" +
			"Name a file without markers, such as JSON, when it has all you want from both versions;\n" +
			"that of the template is in .scaffold/open. For a user-owned file that you edited, resolve\n" +
			"declines the changes of its template that scaffold diff shows, or records that you applied\n" +
			"them.\n\n" +
			"Exit codes: 0 done; 2 conflicts are left; 1 any other error.",
		Example: "  scaffold resolve\n  scaffold resolve api/openapi.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runResolve(cmd.Context(), g, o, args)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "directory of the service (default: the one around the working directory)")
	addServiceFlags(cmd, &o)
	return cmd
}

// resolved is the JSON document of scaffold resolve. Its keys are public.
type resolved struct {
	Service   string   `json:"service"`
	Directory string   `json:"directory"`
	Files     []string `json:"files"`
}

func runResolve(ctx context.Context, g *globals, o project.Options, files []string) (err error) {
	o.Unresolved = true
	t, w, err := g.Lock(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	names, err := inService(t.Dir, files)
	if err != nil {
		return err
	}
	done, err := g.Resolve(ctx, w, t, names)
	if err != nil {
		return err
	}
	if g.emit(resolved{Service: t.Service.Name, Directory: t.Dir, Files: done}) {
		return nil
	}
	for _, name := range done {
		g.printf("resolved %s\n", name)
	}
	if len(done) == 0 {
		g.printf("%s has no conflicts.\n", t.Service.Name)
		return nil
	}
	g.printf("Run scaffold generate to bring all files up to date.\n")
	return nil
}

// inService returns paths relative to the service for paths relative to the working directory.
func inService(dir string, files []string) ([]string, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, file := range files {
		at, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(root, at)
		if err != nil {
			return nil, err
		}
		out = append(out, filepath.ToSlash(name))
	}
	return out, nil
}
