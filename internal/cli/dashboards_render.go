package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/slo"
)

type renderOptions struct {
	stores   render.Stores
	snapshot string
	out      string
	format   string
	from, to string
	vars     []string
	theme    string
	width    int
	interval time.Duration
	timeout  time.Duration
	paths    []string
}

// Bounds of --width: a phone, and four times a screen.
const (
	minRenderWidth = 320
	maxRenderWidth = 8000
)

func newDashboardsRenderCommand(g *globals) *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render --source URL|--snapshot FILE [FILE|DIR ...]",
		Short: "Draw dashboards as Grafana does, without Grafana",
		Long: "Draw each dashboard as one SVG or HTML file, with the results of its queries. Without\n" +
			"arguments, draw observability/dashboards of the service in this directory.\n\n" +
			"--source is the URL of a Prometheus, Mimir or Thanos; --loki, --tempo and --pyroscope\n" +
			"are those of other stores. A panel of a store without URL says so. Bearer tokens come\n" +
			"from " + prometheusToken + ", SCAFFOLD_LOKI_TOKEN, SCAFFOLD_TEMPO_TOKEN and\n" +
			"SCAFFOLD_PYROSCOPE_TOKEN. --snapshot is a file that scaffold verify --snapshot wrote.\n\n" +
			"Standard error lists what is missing in a picture, and settings that are not drawn.",
		Example: "  scaffold dashboards render --source http://localhost:9090 -o pictures\n" +
			"  scaffold dashboards render --snapshot orders.snapshot.json --theme light --format html -o pictures\n" +
			"  scaffold dashboards render --source http://localhost:9090 --from now-1h --var environment=prod orders-overview.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paths = args
			if err := o.validate(cmd); err != nil {
				return err
			}
			return runDashboardsRender(cmd.Context(), g, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.stores.Prometheus, "source", "", "URL of a Prometheus, Mimir or Thanos")
	flags.StringVar(&o.stores.Loki, "loki", "", "URL of Loki")
	flags.StringVar(&o.stores.Tempo, "tempo", "", "URL of Tempo")
	flags.StringVar(&o.stores.Pyroscope, "pyroscope", "", "URL of Pyroscope")
	flags.StringVar(&o.snapshot, "snapshot", "", "file with recorded answers")
	flags.StringVarP(&o.out, "out", "o", ".", "directory to write to")
	flags.StringVar(&o.format, "format", "svg", "svg, or html, which has a layout for phones, too")
	offer(cmd, "format", []string{"svg", "html"})
	flags.StringVar(&o.from, "from", "", "start, such as now-6h or 2026-11-28T12:00:00Z (default: that of the dashboard or the snapshot)")
	flags.StringVar(&o.to, "to", "", "end (default: that of the dashboard or the snapshot)")
	flags.StringArrayVar(&o.vars, "var", nil, "value of a variable, such as environment=prod; repeatable, also for one variable")
	flags.StringVar(&o.theme, "theme", "dark", "dark or light")
	offer(cmd, "theme", []string{"dark", "light"})
	flags.IntVar(&o.width, "width", render.DefaultWidth, "width in pixels")
	flags.DurationVar(&o.interval, "scrape-interval", 15*time.Second, "scrape interval of the Prometheus data source in Grafana, for $__rate_interval")
	flags.DurationVar(&o.timeout, "timeout", render.DefaultTimeout, "time for the queries of one dashboard")
	return cmd
}

// validate finds what is wrong with the flags.
func (o renderOptions) validate(cmd *cobra.Command) error {
	switch {
	case o.stores.Prometheus == "" && o.snapshot == "":
		return usage(cmd, "--source or --snapshot is missing; set --source to the URL of a Prometheus, such as http://localhost:9090")
	case o.stores.Prometheus+o.stores.Loki+o.stores.Tempo+o.stores.Pyroscope != "" && o.snapshot != "":
		return usage(cmd, "--snapshot has the answers of all stores; leave out the URLs, or --snapshot")
	case o.format != "svg" && o.format != "html":
		return usage(cmd, "--format %q: write svg or html%s", o.format, diagnostic.DidYouMean(o.format, []string{"svg", "html"}))
	case o.theme != "dark" && o.theme != "light":
		return usage(cmd, "--theme %q: write dark or light%s", o.theme, diagnostic.DidYouMean(o.theme, []string{"dark", "light"}))
	case o.width < minRenderWidth || o.width > maxRenderWidth:
		return usage(cmd, "--width %d: write a number of pixels from %d to %d", o.width, minRenderWidth, maxRenderWidth)
	case o.interval < time.Millisecond:
		return usage(cmd, "--scrape-interval %s: write a time such as 15s", o.interval)
	}
	for _, store := range []struct{ flag, url string }{
		{"--source", o.stores.Prometheus}, {"--loki", o.stores.Loki}, {"--tempo", o.stores.Tempo}, {"--pyroscope", o.stores.Pyroscope},
	} {
		if store.url != "" && !isAddress(store.url) {
			return usage(cmd, "%s %q: write a URL such as http://localhost:9090", store.flag, store.url)
		}
	}
	for _, v := range o.vars {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return usage(cmd, "--var %q: write NAME=VALUE", v)
		}
	}
	for _, t := range []struct{ flag, text string }{{"--from", o.from}, {"--to", o.to}} {
		if _, err := render.ParseTime(t.text, time.Time{}); t.text != "" && err != nil {
			return usage(cmd, "%s: %v", t.flag, err)
		}
	}
	return nil
}

// rendered is the JSON document of scaffold dashboards render. Its keys are public.
type rendered struct {
	From       time.Time           `json:"from"`
	To         time.Time           `json:"to"`
	Dashboards []renderedDashboard `json:"dashboards"`
}

type renderedDashboard struct {
	File     string   `json:"file"`
	Title    string   `json:"title"`
	Picture  string   `json:"picture"`
	Problems []string `json:"problems"`
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
	doc, pictures, err := o.draw(ctx, files, source, options)
	if err != nil {
		return err
	}
	if err := writeDirectory(ctx, o.out, pictures); err != nil {
		return err
	}
	if g.emit(doc) {
		return nil
	}
	for _, d := range doc.Dashboards {
		g.printf("%s  %s\n", d.Picture, d.Title)
		for _, p := range d.Problems {
			g.warnf("%s: %s\n", d.Picture, p)
		}
	}
	return nil
}

// draw draws the dashboards of files, and reports all that are not dashboards.
func (o renderOptions) draw(ctx context.Context, files []string, source render.Source, options render.Options) (rendered, []slo.File, error) {
	doc := rendered{Dashboards: []renderedDashboard{}}
	var pictures []slo.File
	var errs []error
	asked, answered := 0, 0
	for _, file := range files {
		src, err := userfile.Read(file, userfile.LargeLimit)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		picture, err := render.Dashboard(ctx, filepath.ToSlash(file), src, source, options)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		asked, answered = asked+picture.Asked, answered+picture.Answered
		if answered == 0 && asked > 0 && o.snapshot == "" {
			errs = append(errs, fmt.Errorf("no query was answered: %s", picture.Problems[0]))
			break // the other dashboards would wait for the same
		}
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) + "." + o.format
		if slices.ContainsFunc(pictures, func(f slo.File) bool { return f.Name == name }) {
			errs = append(errs, fmt.Errorf("%s: another dashboard would be drawn to %s, too; draw it to another directory", filepath.ToSlash(file), name))
			continue
		}
		var data bytes.Buffer
		if err := o.write(picture, &data); err != nil {
			return doc, nil, err
		}
		pictures = append(pictures, slo.File{Name: name, Data: data.Bytes()})
		doc.From, doc.To = picture.TimeRange()
		doc.Dashboards = append(doc.Dashboards, renderedDashboard{
			filepath.ToSlash(file), picture.Title(), filepath.ToSlash(filepath.Join(o.out, name)), append([]string{}, picture.Problems...),
		})
	}
	return doc, pictures, errors.Join(append(errs, context.Cause(ctx))...)
}

func (o renderOptions) write(p *render.Picture, w io.Writer) error {
	if o.format == "html" {
		return p.HTML(w)
	}
	return p.SVG(w)
}

// renderSource returns what answers the queries, and the options of the pictures.
func (g *globals) renderSource(o renderOptions) (render.Options, render.Source, error) {
	options := render.Options{
		Now: time.Now(), Light: o.theme == "light", Width: o.width, ScrapeInterval: o.interval, Timeout: o.timeout, Variables: map[string][]string{},
	}
	for _, v := range o.vars {
		name, value, _ := strings.Cut(v, "=")
		options.Variables[name] = append(options.Variables[name], value)
	}
	var source render.Source
	if o.snapshot != "" {
		src, err := userfile.Read(o.snapshot, snapshotLimit)
		if err != nil {
			return options, nil, userfile.ExplainMissing(o.snapshot, err)
		}
		snapshot, err := render.ReadSnapshot(filepath.ToSlash(o.snapshot), src)
		if err != nil {
			return options, nil, err
		}
		options.From, options.To, options.Now = snapshot.From, snapshot.To, snapshot.To
		source = snapshot.Source()
	} else {
		stores, err := g.stores(o.stores)
		if err != nil {
			return options, nil, err
		}
		source = stores.Ask
	}
	for _, t := range []struct {
		set  *time.Time
		text string
	}{{&options.From, o.from}, {&options.To, o.to}} {
		if t.text != "" {
			*t.set, _ = render.ParseTime(t.text, options.Now) // validated
		}
	}
	return options, source, nil
}

// snapshotLimit is the largest snapshot that is read: a hundred times that of examples/orders.
const snapshotLimit = 256 << 20

// stores sets how the stores are read: each with its own token, which no other server gets.
func (g *globals) stores(s render.Stores) (render.Stores, error) {
	readers := map[string]func(context.Context, string) ([]byte, error){}
	for variable, base := range map[string]string{
		prometheusToken: s.Prometheus, "SCAFFOLD_LOKI_TOKEN": s.Loki, "SCAFFOLD_TEMPO_TOKEN": s.Tempo, "SCAFFOLD_PYROSCOPE_TOKEN": s.Pyroscope,
	} {
		if base == "" {
			continue
		}
		read, err := g.reader(variable)
		if err != nil {
			return s, err
		}
		readers[strings.TrimRight(base, "/")+"/"] = read
	}
	bases := slices.SortedFunc(maps.Keys(readers), func(a, b string) int { return len(b) - len(a) }) // the longest first
	s.Get = func(ctx context.Context, address string) ([]byte, error) {
		for _, base := range bases {
			if strings.HasPrefix(address, base) {
				page, err := readers[base](ctx, address)
				return page, briefly(err)
			}
		}
		return nil, fmt.Errorf("%s is no store", address)
	}
	return s, nil
}

// briefly cuts the query off the address in an error, which may be kilobytes long.
func briefly(err error) error {
	var failed *url.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed):
		address, _, _ := strings.Cut(failed.URL, "?")
		return fmt.Errorf("%s does not respond: %w", address, failed.Err)
	}
	text := err.Error()
	if begin := strings.Index(text, "?"); begin >= 0 {
		if end := strings.IndexAny(text[begin:], "\": "); end > 0 {
			text = text[:begin] + text[begin+end:]
		}
	}
	return errors.New(text)
}
