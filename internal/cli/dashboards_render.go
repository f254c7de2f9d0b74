package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/push"
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
			"are those of other stores. Panels of a store without a URL show a message. Bearer tokens\n" +
			"come from " + prometheusToken + ", SCAFFOLD_LOKI_TOKEN, SCAFFOLD_TEMPO_TOKEN\n" +
			"and SCAFFOLD_PYROSCOPE_TOKEN. --snapshot is a file that scaffold verify --snapshot wrote;\n" +
			"it has the time range, scrape interval and width of its queries.\n\n" +
			"Problems and settings that are not drawn are listed on standard error.",
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
	flags.StringVar(&o.theme, "theme", "dark", "dark or light")
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
		return usage(cmd, "--source or --snapshot is missing; set --source to the URL of a Prometheus, such as http://localhost:9090")
	case o.source+o.loki+o.tempo+o.profiles != "" && o.snapshot != "":
		return usage(cmd, "--snapshot contains the results of all stores; remove the URLs or --snapshot")
	case o.format != "svg" && o.format != "html":
		return usage(cmd, "--format %q: write svg or html%s", o.format, diagnostic.DidYouMean(o.format, []string{"svg", "html"}))
	case o.theme != "dark" && o.theme != "light":
		return usage(cmd, "--theme %q: write dark or light%s", o.theme, diagnostic.DidYouMean(o.theme, []string{"dark", "light"}))
	case o.width < minRenderWidth || o.width > maxRenderWidth:
		return usage(cmd, "--width %d: write a number of pixels from %d to %d", o.width, minRenderWidth, maxRenderWidth)
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
	for _, t := range []struct {
		flag, text string
		parse      func(string, time.Time) (time.Time, error)
	}{{"--from", o.from, render.ParseFrom}, {"--to", o.to, render.ParseTo}} {
		if _, err := t.parse(t.text, time.Now()); t.text != "" && err != nil {
			return usage(cmd, "%s: %v", t.flag, err)
		}
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

// storeFlag is the URL of a store.
type storeFlag struct {
	store         string // as in a query
	name          string
	flag          string
	url           string
	tokenVariable string
}

func (o renderOptions) stores() []storeFlag {
	return []storeFlag{
		{render.Prometheus, "Prometheus", "--source", o.source, prometheusToken},
		{render.Loki, "Loki", "--loki", o.loki, "SCAFFOLD_LOKI_TOKEN"},
		{render.Tempo, "Tempo", "--tempo", o.tempo, "SCAFFOLD_TEMPO_TOKEN"},
		{render.Pyroscope, "Pyroscope", "--pyroscope", o.profiles, "SCAFFOLD_PYROSCOPE_TOKEN"},
	}
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
		if err != nil {
			d.bad = append(d.bad, err)
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
	return d, nil
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

// renderSource returns the source of the results, and the options of the pictures.
func (g *globals) renderSource(o renderOptions) (render.Options, render.Source, error) {
	location, err := o.location()
	if err != nil {
		return render.Options{}, nil, err
	}
	options := render.Options{
		Now: time.Now(), Location: location, Light: o.theme == "light", Width: o.width, ScrapeInterval: o.interval, Timeout: o.timeout, Variables: map[string][]string{},
	}
	for _, v := range o.vars {
		name, value, _ := strings.Cut(v, "=")
		options.Variables[name] = append(options.Variables[name], value)
	}
	if o.snapshot == "" {
		source, err := g.queryStores(o.stores())
		now := options.Now
		if location != nil {
			now = now.In(location)
		}
		if o.from != "" {
			options.From, _ = render.ParseFrom(o.from, now) // validated
		}
		if o.to != "" {
			options.To, _ = render.ParseTo(o.to, now)
		}
		return options, source, err
	}
	src, err := userfile.Read(o.snapshot, snapshotLimit)
	if err != nil {
		return options, nil, userfile.ExplainMissing(o.snapshot, err)
	}
	snapshot, err := render.ReadSnapshot(filepath.ToSlash(o.snapshot), src)
	if err != nil {
		return options, nil, err
	}
	options.From, options.To, options.Now = snapshot.From, snapshot.To, snapshot.To
	options.ScrapeInterval = cmp.Or(snapshot.ScrapeInterval, options.ScrapeInterval)
	options.Width = cmp.Or(options.Width, snapshot.Width)
	return options, snapshot.Source(), nil
}

// snapshotLimit is the largest snapshot that is read: more than ten times the largest that scaffold verify writes.
const snapshotLimit = 64 << 20

// queryStores returns a source that reads the stores, each with its own token, which no other server gets.
func (g *globals) queryStores(flags []storeFlag) (render.Source, error) {
	var stores render.Stores
	byName := map[string]storeFlag{}
	for _, f := range flags {
		byName[f.store] = f
		if f.url == "" {
			continue
		}
		read, err := g.reader(f.tokenVariable, 0) // render has a limit for all queries
		if err != nil {
			return nil, err
		}
		to := map[string]*render.Store{render.Prometheus: &stores.Prometheus, render.Loki: &stores.Loki, render.Tempo: &stores.Tempo, render.Pyroscope: &stores.Pyroscope}[f.store]
		token, _ := push.Token(g.Getenv, f.tokenVariable, "") // validated by the reader
		*to = render.Store{URL: f.url, Secret: token, Get: func(ctx context.Context, address string) ([]byte, error) {
			page, err := read(ctx, address)
			return page, g.explainStore(err, f.tokenVariable)
		}}
	}
	return func(ctx context.Context, q render.Query) (render.Result, error) {
		result, err := stores.Query(ctx, q)
		if f, ok := byName[q.Store]; ok && errors.Is(err, render.ErrNoStore) {
			err = noURLError(f)
		}
		return result, err
	}, nil
}

// noURLError is a query of a store without a URL.
type noURLError storeFlag

func (e noURLError) Error() string { return fmt.Sprintf("no URL for %s; set %s", e.name, e.flag) }

// Unwrap returns the error of package render, which shows it in another color.
func (noURLError) Unwrap() error { return render.ErrNoStore }

// explainStore adds what to do to the error of a store.
func (g *globals) explainStore(err error, tokenVariable string) error {
	var failed *url.Error
	var status statusError
	switch {
	case errors.As(err, &failed):
		return fmt.Errorf("%s does not respond: %w", failed.URL, failed.Err)
	case !errors.As(err, &status):
		return err
	case status.code == http.StatusNotFound:
		return fmt.Errorf("%w; check that the URL is the base URL of the API", err)
	}
	return fmt.Errorf("%w%s", err, g.tokenAdvice(status, tokenVariable))
}
