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
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

type dashboardsOptions struct {
	files  []string // - is standard input; none is the service in this directory
	shared bool
	dir    string // empty: standard output
	// imported completes files of other tools.
	imported importFlags
}

func newDashboardsCommand(g *globals) *cobra.Command {
	var o dashboardsOptions
	cmd := &cobra.Command{
		Use:   "dashboards [FILE | --shared FILE ...]",
		Short: "Compile, draw or push Grafana dashboards",
		Long: "Compile the dashboards of FILE: the " + spec.FileName + " of a service, a " + slo.APIVersion + "\n" +
			"file, or one of OpenSLO, sloth or Pyrra. Without FILE, the service in the\n" +
			"current directory is used; - reads standard input.\n\n" +
			"Dashboards go to standard output as one JSON array, or each into a file of the directory\n" +
			"that -o names. They are classic dashboard JSON for Grafana 11 and newer.\n\n" +
			"With --shared, write one set for all services: its variable selects the service, and its\n" +
			"fleet dashboard lists every service. Pass the files of services that differ: those with a\n" +
			"database, for example. Later services of the same kinds need no other set.",
		Example: "  scaffold dashboards checkout.slo.yaml -o dashboards\n" +
			"  scaffold dashboards --shared services/*/scaffold.yaml -o dashboards\n" +
			"  scaffold dashboards push --grafana https://grafana.acme.test dashboards",
		Args: func(cmd *cobra.Command, args []string) error {
			if o.shared {
				return nil
			}
			return atMost(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files = args
			if err := o.imported.validate(cmd); err != nil {
				return err
			}
			return runDashboards(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVarP(&o.dir, "out", "o", "", "directory to write to (default: standard output)")
	cmd.Flags().BoolVar(&o.shared, "shared", false, "one set for all services, with a variable for the service and a list of all")
	o.imported.addFlags(cmd)
	cmd.AddCommand(newDashboardsPushCommand(g), newDashboardsRenderCommand(g))
	return cmd
}

// compiledDashboards is the JSON document of scaffold dashboards. Its keys are public.
type compiledDashboards struct {
	Service    string              `json:"service"` // empty with --shared
	Dashboards []compiledDashboard `json:"dashboards"`
}

type compiledDashboard struct {
	UID       string          `json:"uid"`
	Title     string          `json:"title"`
	File      string          `json:"file,omitempty"` // empty without -o
	Queries   int             `json:"queries"`
	Dashboard json.RawMessage `json:"dashboard,omitempty"` // empty with -o
}

func runDashboards(ctx context.Context, g *globals, o dashboardsOptions) error {
	service, compiled, err := g.compileDashboards(o)
	if err != nil {
		return err
	}
	doc := compiledDashboards{Service: service}
	var files []slo.File
	for _, dashboard := range compiled {
		data, err := dashboard.JSON()
		if err != nil {
			return err
		}
		described := compiledDashboard{UID: dashboard.UID(), Title: dashboard.Title(), Queries: len(dashboard.Queries())}
		if o.dir == "" {
			described.Dashboard = data
		} else {
			described.File = filepath.ToSlash(filepath.Join(o.dir, dashboard.Name()+".json"))
		}
		doc.Dashboards = append(doc.Dashboards, described)
		files = append(files, slo.File{Name: dashboard.Name() + ".json", Data: data})
	}
	if o.dir != "" {
		if err := writeDirectory(ctx, o.dir, files); err != nil {
			return err
		}
	}
	if g.emit(doc) {
		return nil
	}
	return doc.print(g, o)
}

// compileDashboards returns the name of the service, empty for a shared set, and the dashboards.
func (g *globals) compileDashboards(o dashboardsOptions) (string, []dashboards.Dashboard, error) {
	files := o.files
	if len(files) == 0 {
		files = []string{""}
	}
	var services []dashboards.Input
	for _, file := range files {
		in, err := g.readDashboards(file, o.imported)
		if err != nil {
			return "", nil, err
		}
		services = append(services, in)
	}
	if o.shared {
		compiled, err := dashboards.Shared(services...)
		return "", compiled, err
	}
	compiled, err := dashboards.Compile(services[0])
	return services[0].Rules.Spec.Service, compiled, err
}

// print writes the dashboards, or lists the files that were written.
func (d compiledDashboards) print(g *globals, o dashboardsOptions) error {
	if o.dir == "" {
		all := make([]json.RawMessage, len(d.Dashboards))
		for i, dashboard := range d.Dashboards {
			all[i] = bytes.TrimSpace(dashboard.Dashboard)
		}
		g.printJSON(all)
		return nil
	}
	for _, dashboard := range d.Dashboards {
		g.printf("%s  %s, %d queries\n", dashboard.File, dashboard.Title, dashboard.Queries)
	}
	g.printf("Push them with: scaffold dashboards push --grafana URL %s\n", o.dir)
	return nil
}

// readDashboards reads any kind of file that dashboards can be compiled from. Only the spec of
// a service declares dependencies.
func (g *globals) readDashboards(file string, flags importFlags) (dashboards.Input, error) {
	if file == "" {
		dir, err := project.FindService("")
		if err != nil {
			return dashboards.Input{}, err
		}
		file = dir
	}
	name, src, err := g.readInput(file)
	if err != nil {
		return dashboards.Input{}, err
	}
	if _, err := dashboardfile.Parse(name, src); err == nil {
		return dashboards.Input{}, fmt.Errorf("%s is already a dashboard; draw it with scaffold dashboards render --source URL %s", name, name)
	}
	if apiVersion(src) == spec.APIVersion {
		if err := flags.own(name, true); err != nil {
			return dashboards.Input{}, err
		}
		return serviceDashboards(name, src)
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

func serviceDashboards(name string, src []byte) (dashboards.Input, error) {
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
	return templates.DashboardInput(service, rules)
}
