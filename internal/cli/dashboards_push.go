package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/push/grafana"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/workspace"
)

type pushOptions struct {
	delivery deliveryOptions
	grafana  string
	folder   string
	message  string
	paths    []string // files and directories
}

// grafanaToken is the environment variable that Grafana's own tools use, too.
const grafanaToken = "GRAFANA_TOKEN"

func newDashboardsPushCommand(g *globals) *cobra.Command {
	var o pushOptions
	cmd := &cobra.Command{
		Use:   "push --grafana URL [FILE|DIR ...]",
		Short: "Write dashboards to Grafana",
		Long: "Write dashboards to Grafana. A dashboard with the same uid is overwritten. For a\n" +
			"directory, all .json files below it are pushed. Without arguments,\n" +
			"observability/dashboards of the service in the current directory is pushed.\n\n" +
			"The token of a service account with the role Editor comes from " + grafanaToken + " or\n" +
			"--token-file. Every dashboard is looked up before the first one is written.",
		Example: "  " + grafanaToken + "=... scaffold dashboards push --grafana https://grafana.acme.test --folder Shop",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.grafana == "" {
				return usage(cmd, "--grafana is missing; set it to an address such as https://grafana.acme.test")
			}
			o.paths = args
			return misused(cmd, runDashboardsPush(cmd.Context(), g, o))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.grafana, "grafana", "", "URL of Grafana")
	flags.StringVar(&o.folder, "folder", "", "title of the folder, created if missing (default: the current folder of a dashboard, else General)")
	flags.StringVar(&o.message, "message", "Pushed by scaffold", "version message of each dashboard")
	o.delivery.register(flags, grafanaToken)
	return cmd
}

// pushed is the JSON document of scaffold dashboards push. Its keys are public.
type pushed struct {
	Grafana    string            `json:"grafana"`
	Version    string            `json:"version"`
	Folder     string            `json:"folder,omitempty"`
	DryRun     bool              `json:"dryRun"`
	Dashboards []pushedDashboard `json:"dashboards"`
}

type pushedDashboard struct {
	File   string           `json:"file"`
	UID    string           `json:"uid"`
	Title  string           `json:"title"`
	Action workspace.Action `json:"action"`
	URL    string           `json:"url,omitempty"` // empty with --dry-run

	data      []byte
	folderUID string
}

func runDashboardsPush(ctx context.Context, g *globals, o pushOptions) error {
	dashboards, err := readDashboardFiles(o.paths)
	if err != nil {
		return err
	}
	transport, err := g.transport(o.grafana, grafanaToken, o.delivery)
	if err != nil {
		return err
	}
	client, err := grafana.New(transport)
	if err != nil {
		return err
	}
	doc := pushed{Grafana: o.grafana, Folder: o.folder, DryRun: o.delivery.dryRun, Dashboards: dashboards}
	if doc.Version, err = client.Version(ctx); err != nil {
		return err
	}
	if err := doc.plan(ctx, client); err != nil {
		return err
	}
	if !o.delivery.dryRun {
		if err := doc.save(ctx, client, o); err != nil {
			return err
		}
	}
	if g.emit(doc) {
		return nil
	}
	for _, b := range doc.Dashboards {
		g.printf("%s %s  %s\n", g.paint(actionColor(b.Action), fmt.Sprintf("%-8s", b.Action)), b.Title, b.File)
	}
	if o.delivery.dryRun {
		g.printf("Nothing was written.\n")
	}
	return nil
}

// plan looks up each dashboard. If one cannot be written, it rejects all of them.
func (d *pushed) plan(ctx context.Context, client *grafana.Client) error {
	var errs []error
	for i, b := range d.Dashboards {
		existing, err := client.Find(ctx, b.UID)
		if err != nil {
			return err
		}
		if existing.Provisioned {
			errs = append(errs, fmt.Errorf("%s: dashboard %s of %s: %w", b.File, b.UID, d.Grafana, grafana.ErrProvisioned))
		}
		d.Dashboards[i].Action = workspace.Create
		if existing.Found {
			d.Dashboards[i].Action, d.Dashboards[i].folderUID = workspace.Update, existing.FolderUID
		}
	}
	return errors.Join(errs...)
}

func (d *pushed) save(ctx context.Context, client *grafana.Client, o pushOptions) error {
	folder := ""
	if o.folder != "" {
		var err error
		if folder, err = client.Folder(ctx, o.folder); err != nil {
			return err
		}
	}
	for i, b := range d.Dashboards {
		in := b.folderUID
		if folder != "" {
			in = folder
		}
		url, err := client.Save(ctx, grafana.Dashboard{JSON: json.RawMessage(b.data), FolderUID: in, Message: o.message})
		if err != nil {
			return fmt.Errorf("%s: %w (%s were written before it)", b.File, err, plural(i, "dashboard"))
		}
		d.Dashboards[i].URL = url
	}
	return nil
}

// readDashboardFiles reads all dashboards in the files and directories, and reports every
// problem.
func readDashboardFiles(paths []string) ([]pushedDashboard, error) {
	files, err := dashboardFiles(paths)
	if err != nil {
		return nil, err
	}
	var dashboards []pushedDashboard
	var errs []error
	owners := map[string]string{}
	for _, file := range files {
		src, err := userfile.Read(file, userfile.LargeLimit)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		head, err := grafana.ReadHead(src)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", filepath.ToSlash(file), err))
			continue
		}
		name := filepath.ToSlash(file)
		if other, twice := owners[head.UID]; twice {
			errs = append(errs, fmt.Errorf("%s: uid %q is also used by %s; change one, since Grafana keeps only one of them", name, head.UID, other))
		}
		owners[head.UID] = name
		dashboards = append(dashboards, pushedDashboard{File: name, UID: head.UID, Title: head.Title, data: src})
	}
	return dashboards, errors.Join(errs...)
}

// dashboardFiles lists the files that the arguments select.
func dashboardFiles(paths []string) ([]string, error) {
	return deliverable(paths, "dashboards", ".json", "contains no dashboard; compile some with scaffold dashboards -o DIR")
}
