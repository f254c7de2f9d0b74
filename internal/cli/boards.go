package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// boardsOptions is what scaffold boards was told.
type boardsOptions struct {
	file string // - is standard input
	dir  string // empty: standard output
	// imported adds to files of other tools.
	imported importFlags
}

func newBoardsCommand(g *globals) *cobra.Command {
	var o boardsOptions
	cmd := &cobra.Command{
		Use:   "boards [FILE]",
		Short: "Compile Grafana boards, or push them to a Grafana",
		Long: "Compiles the boards of FILE: the " + spec.FileName + " of a service, a " + slo.APIVersion + "\n" +
			"file, or one of OpenSLO, sloth or Pyrra. Without FILE it is the service in this directory; - reads\n" +
			"standard input.\n\n" +
			"Boards go to standard output as one JSON array, or each into a file of the folder\n" +
			"that -o names. They are classic dashboard JSON for Grafana 11 and newer.",
		Example: "  scaffold boards checkout.slo.yaml -o boards\n  scaffold boards push --grafana https://grafana.acme.test boards",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.file = args[0]
			}
			if err := o.imported.validate(cmd); err != nil {
				return err
			}
			return runBoards(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVarP(&o.dir, "out", "o", "", "folder to write to (default: standard output)")
	o.imported.addFlags(cmd)
	cmd.AddCommand(newBoardsPushCommand(g))
	return cmd
}

// compiledBoards is the document of scaffold boards. Its keys are public.
type compiledBoards struct {
	Service string          `json:"service"`
	Boards  []compiledBoard `json:"boards"`
}

type compiledBoard struct {
	UID       string          `json:"uid"`
	Title     string          `json:"title"`
	File      string          `json:"file,omitempty"` // empty without -o
	Queries   int             `json:"queries"`
	Dashboard json.RawMessage `json:"dashboard,omitempty"` // empty with -o
}

func runBoards(ctx context.Context, g *globals, o boardsOptions) error {
	in, err := g.readBoards(o.file, o.imported)
	if err != nil {
		return err
	}
	boards, err := dashboards.Boards(in)
	if err != nil {
		return err
	}
	doc := compiledBoards{Service: in.Rules.Spec.Service}
	var files []slo.File
	for _, b := range boards {
		data, err := b.JSON()
		if err != nil {
			return err
		}
		described := compiledBoard{UID: b.UID(), Title: b.Title(), Queries: len(b.Queries())}
		if o.dir == "" {
			described.Dashboard = data
		} else {
			described.File = filepath.ToSlash(filepath.Join(o.dir, b.Name()+".json"))
		}
		doc.Boards = append(doc.Boards, described)
		files = append(files, slo.File{Name: b.Name() + ".json", Data: data})
	}
	if o.dir != "" {
		if err := writeFolder(ctx, o.dir, files); err != nil {
			return err
		}
	}
	if g.emit(doc) {
		return nil
	}
	return doc.print(g, o)
}

// print writes the boards, or says where they were written to.
func (d compiledBoards) print(g *globals, o boardsOptions) error {
	if o.dir == "" {
		all := make([]json.RawMessage, len(d.Boards))
		for i, b := range d.Boards {
			all[i] = bytes.TrimSpace(b.Dashboard)
		}
		g.printJSON(all)
		return nil
	}
	for _, b := range d.Boards {
		g.printf("%s  %s, %d queries\n", b.File, b.Title, b.Queries)
	}
	g.printf("Push them with: scaffold boards push --grafana URL %s\n", o.dir)
	return nil
}

// readBoards reads any kind of file that boards can be made from. Only the spec
// of a service says what the service depends on.
func (g *globals) readBoards(file string, flags importFlags) (dashboards.Input, error) {
	if file == "" {
		dir, err := project.Find("")
		if err != nil {
			return dashboards.Input{}, err
		}
		file = dir
	}
	name, src, err := g.readInput(file)
	if err != nil {
		return dashboards.Input{}, err
	}
	if apiVersion(src) == spec.APIVersion {
		if err := flags.own(name, true); err != nil {
			return dashboards.Input{}, err
		}
		return serviceBoards(name, src)
	}
	objectives, err := parseObjectives(name, src, flags)
	if err != nil {
		return dashboards.Input{}, err
	}
	rules, err := slo.Compile(objectives.Spec)
	if err != nil {
		return dashboards.Input{}, fmt.Errorf("%s: %w", name, err)
	}
	return dashboards.Input{Rules: rules}, nil
}

func serviceBoards(name string, src []byte) (dashboards.Input, error) {
	defaults, err := project.ServiceDefaults(filepath.Dir(name), "")
	if err != nil {
		return dashboards.Input{}, err
	}
	service, err := defaults.Parse(name, src)
	if err != nil {
		return dashboards.Input{}, err
	}
	rules, err := slo.Compile(service.SLO())
	if err != nil {
		return dashboards.Input{}, fmt.Errorf("%s: %w", name, err)
	}
	return templates.BoardInput(service, rules)
}
