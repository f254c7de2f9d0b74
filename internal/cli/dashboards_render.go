package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/slo"
)

type renderOptions struct {
	source   string
	loki     string
	tempo    string
	profiles string
	snapshot string
	out      string
	format   string
	from, to string
	vars     []string
	theme    string
	timezone string
	width    int
	interval time.Duration
	timeout  time.Duration
	paths    []string
}

func newDashboardsRenderCommand(g *globals) *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render --source URL|--snapshot FILE [FILE|DIR ...]",
		Short: "Draw dashboards as Grafana does, without Grafana",
		Long: "Draw each dashboard as one SVG or HTML file, with the results of its queries. Without\n" +
			"arguments, draw observability/dashboards of the service in this directory.\n\n" +
			"--source is the URL of a Prometheus, Mimir or Thanos; --loki, --tempo and --pyroscope\n" +
			"are those of other stores. Panels of a store without a URL show a message. Bearer tokens\n" +
			"come from " + prometheusToken + ", SCAFFOLD_LOKI_TOKEN, SCAFFOLD_TEMPO_TOKEN\n" +
			"and SCAFFOLD_PYROSCOPE_TOKEN. --snapshot is a file that scaffold verify --snapshot wrote;\n" +
			"it has the time range, scrape interval, width and variables of its queries, so that\n" +
			"--from, --to, --scrape-interval and --var do not apply to it. Without a Prometheus, write a\n" +
			"snapshot with scaffold verify --snapshot FILE.\n\n" +
			"--from and --to take times as Grafana writes them, such as now-6h or now/d, dates such as\n" +
			"2026-11-30 or '2026-11-30 10:00' in the time zone of the dashboard, and RFC 3339.\n\n" +
			"Problems and settings that are not drawn are listed on standard error and do not change\n" +
			"the exit code, nor does a query that fails: its panel shows the error. The exit code is 1\n" +
			"if all queries fail or a file is not a dashboard; other JSON files of a directory are skipped.",
		Example: "  scaffold dashboards render --source http://localhost:9090 -o pictures\n" +
			"  scaffold dashboards render --snapshot orders.snapshot.json --theme light --format html -o pictures\n" +
			"  scaffold dashboards render --source http://localhost:9090 --from now-1h --var environment=prod orders-overview.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paths = args
			if err := o.validate(cmd); err != nil {
				return err
			}
			if !cmd.Flags().Changed("width") {
				o.width = 0 // that of the snapshot
			}
			return runDashboardsRender(cmd.Context(), g, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.source, "source", "", "URL of a Prometheus, Mimir or Thanos")
	flags.StringVar(&o.loki, "loki", "", "URL of Loki")
	flags.StringVar(&o.tempo, "tempo", "", "URL of Tempo")
	flags.StringVar(&o.profiles, "pyroscope", "", "URL of Pyroscope")
	flags.StringVar(&o.snapshot, "snapshot", "", "file with query results that scaffold verify --snapshot wrote")
	flags.StringVarP(&o.out, "out", "o", "pictures", "directory to write to")
	flags.StringVar(&o.format, "format", "svg", "output format: svg, or html with a layout for phones")
	offer(cmd, "format", []string{"svg", "html"})
	flags.StringVar(&o.from, "from", "", "start of the time range, such as now-6h; default: that of the dashboard or snapshot")
	flags.StringVar(&o.to, "to", "", "end of the time range, such as now-1h; default: that of the dashboard or snapshot")
	flags.StringArrayVar(&o.vars, "var", nil, "variable value, such as environment=prod; repeat it for several values")
	flags.StringVar(&o.theme, "theme", "dark", "color theme, dark or light")
	offer(cmd, "theme", []string{"dark", "light"})
	flags.StringVar(&o.timezone, "timezone", "", "time zone of the axes, such as UTC or Europe/Berlin (default: that of the dashboard)")
	flags.IntVar(&o.width, "width", render.DefaultWidth, "width in pixels")
	flags.DurationVar(&o.interval, "scrape-interval", 15*time.Second, "scrape interval of the Prometheus data source in Grafana, for $__rate_interval")
	flags.DurationVar(&o.timeout, "timeout", render.DefaultTimeout, "time for the queries and the drawing of one dashboard")
	return cmd
}

// validate finds what is wrong with the flags.
func (o renderOptions) validate(cmd *cobra.Command) error {
	switch {
	case o.source == "" && o.snapshot == "":
		return usage(cmd, "--source or --snapshot is missing; set --source to the URL of a Prometheus, such as http://localhost:9090, or --snapshot to a file of scaffold verify --snapshot FILE")
	case o.out == "":
		return usage(cmd, "-o is empty; name a directory")
	case o.source+o.loki+o.tempo+o.profiles != "" && o.snapshot != "":
		return usage(cmd, "--snapshot contains the results of all stores; remove the URLs or --snapshot")
	case o.format != "svg" && o.format != "html":
		return usage(cmd, "--format %q: write svg or html%s", o.format, diagnostic.DidYouMean(o.format, []string{"svg", "html"}))
	case o.theme != "dark" && o.theme != "light":
		return usage(cmd, "--theme %q: write dark or light%s", o.theme, diagnostic.DidYouMean(o.theme, []string{"dark", "light"}))
	case o.width < render.MinWidth || o.width > render.MaxWidth:
		return usage(cmd, "--width %d: write a number of pixels from %d to %d", o.width, render.MinWidth, render.MaxWidth)
	case o.interval < time.Millisecond:
		return usage(cmd, "--scrape-interval %s: write a time such as 15s", o.interval)
	case o.timeout <= 0:
		return usage(cmd, "--timeout %s: write a time such as 30s", o.timeout)
	}
	for _, store := range o.stores() {
		u, err := url.Parse(store.url)
		switch { // the URL may have a secret, so it is not shown
		case store.url == "":
		case err != nil || !isAddress(store.url) || u.Host == "":
			return usage(cmd, "%s is not a URL; write one such as http://localhost:9090", store.flag)
		case strings.ContainsAny(store.url, "?#"):
			return usage(cmd, "%s has a query or fragment; remove what follows ? or #, and set a bearer token in %s", store.flag, store.tokenVariable)
		}
	}
	for _, v := range o.vars {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return usage(cmd, "--var %q: write NAME=VALUE", v)
		}
	}
	return o.validateTimes(cmd)
}

func (o renderOptions) validateTimes(cmd *cobra.Command) error {
	for _, fixed := range []struct{ flag, why string }{
		{"from", "has one time range"}, {"to", "has one time range"}, {"scrape-interval", "has one scrape interval"},
	} {
		if o.snapshot != "" && cmd.Flags().Changed(fixed.flag) {
			return usage(cmd, "--%s does not apply to --snapshot, which %s; leave it out", fixed.flag, fixed.why)
		}
	}
	if _, err := o.location(); err != nil {
		return usage(cmd, "--timezone %q is unknown; write a name such as UTC or Europe/Berlin", o.timezone)
	}
	now := time.Now()
	from, err := render.ParseFrom(o.from, now)
	if o.from != "" && err != nil {
		return usage(cmd, "--from: %v", err)
	}
	to, err := render.ParseTo(o.to, now)
	if o.to != "" && err != nil {
		return usage(cmd, "--to: %v", err)
	}
	if o.from != "" && o.to != "" && !from.Before(to) {
		return usage(cmd, "--from %s is not before --to %s; set an earlier start or a later end", o.from, o.to)
	}
	return nil
}

// location returns the time zone; nil is that of each dashboard.
func (o renderOptions) location() (*time.Location, error) {
	switch {
	case o.timezone == "":
		return nil, nil //nolint:nilnil // as in render.Options
	case strings.EqualFold(o.timezone, "utc"): // as Grafana writes it
		return time.UTC, nil
	}
	return time.LoadLocation(o.timezone)
}

// rendered is the JSON document of scaffold dashboards render. Its keys are public.
type rendered struct {
	Dashboards []renderedDashboard `json:"dashboards"`
	Errors     []string            `json:"errors"` // of files that are not drawn
}

type renderedDashboard struct {
	File     string    `json:"file"`
	Title    string    `json:"title"`
	Picture  string    `json:"picture"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Problems []string  `json:"problems"`
}

func runDashboardsRender(ctx context.Context, g *globals, o renderOptions) error {
	files, err := dashboardFiles(o.paths)
	if err != nil {
		return err
	}
	options, source, err := g.renderSource(o)
	if err != nil {
		return err
	}
	d, err := o.draw(ctx, files, source, options)
	if err != nil {
		return err
	}
	if len(d.pictures) == 0 {
		return errors.Join(d.bad...)
	}
	if err := writeDirectory(ctx, o.out, d.pictures); err != nil {
		return errors.Join(append(d.bad, err)...)
	}
	for _, err := range d.bad {
		d.document.Errors = append(d.document.Errors, err.Error())
	}
	var bad error
	if len(d.bad) > 0 {
		bad = &UnreadError{d.bad}
	}
	if g.emit(d.document) {
		return bad
	}
	for _, d := range d.document.Dashboards {
		g.printf("%s  %s\n", d.Picture, d.Title)
		for _, p := range d.Problems {
			g.warnf("%s: %s\n", d.Picture, p)
		}
	}
	return bad
}

// drawn are the pictures of dashboards. Bad are the errors of files without one.
type drawn struct {
	document rendered
	pictures []slo.File
	bad      []error
}

// draw draws the dashboards of files. It returns an error if no picture should be written.
func (o renderOptions) draw(ctx context.Context, files []string, source render.Source, options render.Options) (drawn, error) {
	d := drawn{document: rendered{Dashboards: []renderedDashboard{}, Errors: []string{}}}
	succeeded := 0
	for _, path := range files {
		file := filepath.ToSlash(path)
		picture, err := dashboardPicture(ctx, path, source, options)
		if ctx.Err() != nil {
			return d, context.Cause(ctx)
		}
		if _, other := errors.AsType[*dashboardfile.OtherJSONError](err); other && !o.names(path) {
			continue
		}
		if err != nil {
			d.bad = append(d.bad, err)
			continue
		}
		if o.snapshot != "" && picture.Failed > picture.Queries/2 {
			d.bad = append(d.bad, fmt.Errorf("%s: %d of its %d queries are not in %s; write a snapshot of these dashboards with scaffold verify --snapshot, or use --source URL", file, picture.Failed, picture.Queries, o.snapshot))
			continue
		}
		succeeded += picture.Queries - picture.Failed
		away := picture.Failure != nil && !errors.Is(picture.Failure, render.ErrNoStore) && o.snapshot == ""
		if succeeded == 0 && away { // the other dashboards would wait for the same
			return d, errors.Join(append(d.bad, fmt.Errorf("%s: %s: %w", file, allFailed(picture.Queries), picture.Failure))...)
		}
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) + "." + o.format
		written := filepath.ToSlash(filepath.Join(o.out, name))
		if slices.ContainsFunc(d.pictures, func(f slo.File) bool { return f.Name == name }) {
			d.bad = append(d.bad, fmt.Errorf("%s: %s is already written for another dashboard; render it to another directory", file, written))
			continue
		}
		var data bytes.Buffer
		if err := o.write(picture, &data); err != nil {
			return d, err
		}
		d.pictures = append(d.pictures, slo.File{Name: name, Data: data.Bytes()})
		from, to := picture.TimeRange()
		d.document.Dashboards = append(d.document.Dashboards, renderedDashboard{file, picture.Title(), written, from.UTC(), to.UTC(), append([]string{}, picture.Problems...)})
	}
	if len(d.pictures)+len(d.bad) == 0 {
		return d, fmt.Errorf("%s: no JSON file in it is a dashboard; name a file or directory with dashboards", filepath.ToSlash(filepath.Dir(files[0])))
	}
	return d, nil
}

// names reports whether a file is an argument, and not one in a directory.
func (o renderOptions) names(path string) bool {
	return slices.ContainsFunc(o.paths, func(argument string) bool { return filepath.Clean(argument) == path })
}

func allFailed(queries int) string {
	if queries == 1 {
		return "its query failed"
	}
	return fmt.Sprintf("all %d queries failed", queries)
}

func dashboardPicture(ctx context.Context, path string, source render.Source, options render.Options) (*render.Picture, error) {
	src, err := userfile.Read(path, userfile.LargeLimit)
	if err != nil {
		return nil, err
	}
	return render.Dashboard(ctx, filepath.ToSlash(path), src, source, options)
}

func (o renderOptions) write(p *render.Picture, w io.Writer) error {
	if o.format == "html" {
		return p.HTML(w)
	}
	return p.SVG(w)
}
