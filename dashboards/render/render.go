package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// Options say what part of the data is drawn, and how.
type Options struct {
	// From and To are the time range; zero is that of the dashboard.
	From, To time.Time
	// FromText and ToText are the time range as Grafana writes it, such as now/d, if From and To are zero. They
	// are parsed in the time zone of the picture.
	FromText, ToText string
	// Now is the time to which the time range of the dashboard is relative; zero is the current time.
	Now time.Time
	// Location is the time zone of axes and texts; nil is that of the dashboard.
	Location *time.Location
	// Variables replace the values that the dashboard has selected.
	Variables map[string][]string
	// ScrapeInterval is that of the Prometheus data source; 0 is Grafana's default of 15 s.
	ScrapeInterval time.Duration
	// Light is Grafana's light theme.
	Light bool
	// Width is that of the dashboard in pixels; 0 is [DefaultWidth].
	Width int
	// OpenRows draws collapsed rows as open ones.
	OpenRows bool
	// ID is the prefix of ids, which tells the dashboards of a page apart.
	ID string
	// Timeout is the maximum time for the queries and the drawing; 0 is [DefaultTimeout].
	Timeout time.Duration
}

// Defaults of [Options].
const (
	DefaultWidth   = 1280
	MinWidth       = 320  // of a small phone
	MaxWidth       = 8000 // of an 8K screen
	DefaultTimeout = 30 * time.Second
)

// maxQueries is the number of queries that are sent at once.
const maxQueries = 4

// Picture is a drawn dashboard. Its methods must not be called concurrently.
type Picture struct {
	renderer *renderer
	panels   []*drawing
	height   float64
	// Problems say what is missing in the picture and why, one line each.
	Problems []string
	// Failure is the error of the first query that failed; [ErrNoStore] only if no other query failed.
	Failure error
	// Queries is the number of queries, and Failed that of the failed ones.
	Queries, Failed int
}

// drawing is a panel with its place and its elements.
type drawing struct {
	renderer *renderer // with the values of the panel's variables
	panel    *panel
	box      box
	canvas   *canvas
	facts    *facts
	data     panelData
}

// renderer draws one dashboard. Copies of it have other values of the variables, or another time range.
type renderer struct {
	dashboard   dashboard
	options     Options
	source      Source
	theme       grafana.Theme
	chosen      chosen
	scope       chosen // values of the variables by which a panel or its row is repeated
	everything  chosen // all options of the variables for which an expression is chosen
	annotations []event
	limits      *limits
	*record
}

// record is what failed, for all copies.
type record struct {
	mutex           sync.Mutex
	problems        []problem
	failure         error // of the first query that failed
	queries, failed int
}

// during returns the renderer for a panel, which may have a time range of its own. As in Grafana, it has none if
// that of the dashboard does not end now.
func (r *renderer) during(p *panel) *renderer {
	span, err := model.ParseDuration(p.TimeFrom)
	if err != nil || span <= 0 || !r.options.To.Equal(r.options.Now) {
		return r
	}
	own := *r
	own.options.From = own.options.To.Add(-time.Duration(span))
	return &own
}

// Dashboard runs the queries of a dashboard and draws the results. Name is the file name in errors, src
// classic dashboard JSON. It returns an error for a file that is not a dashboard, or a time range that does not
// start before its end; what else is wrong is in [Picture.Problems], and in panels without data.
func Dashboard(ctx context.Context, name string, src []byte, source Source, o Options) (*Picture, error) {
	b, file, err := parse(name, src)
	if err != nil {
		return nil, err
	}
	r := &renderer{dashboard: b, options: o.withDefaults(), source: source, theme: grafana.Dark(), everything: chosen{}, record: &record{}}
	if o.Light {
		r.theme = grafana.Light()
	}
	if o.OpenRows {
		r.dashboard.Panels = openRows(r.dashboard.Panels)
	}
	r.location()
	if err := r.timeRange(); err != nil {
		return nil, fmt.Errorf("%s: time range: %w", name, err)
	}
	if b.problem != "" {
		r.report(b.problem, "")
	}
	for _, setting := range findUnsupported(src, r.options.Variables) {
		r.report(setting, "")
	}
	if list := &r.dashboard.Templating.List; len(*list) > maxVariables {
		r.report(fmt.Sprintf("the dashboard has %d variables; the first %d are used", len(*list), maxVariables), "")
		*list, file.Variables = (*list)[:maxVariables], file.Variables[:maxVariables]
	}
	whole := ctx
	ctx, cancel := context.WithTimeout(whole, r.options.Timeout)
	defer cancel()
	r.limits = &limits{ctx: ctx}
	r.chosen = r.variables(ctx, file)
	r.annotations = r.events(ctx)

	picture := &Picture{renderer: r}
	placed := r.layout()
	picture.panels = placed
	r.draw(ctx, placed)
	for _, p := range placed {
		picture.height = max(picture.height, p.box.bottom()+margin)
	}
	picture.Problems = grouped(r.problems)
	picture.Queries, picture.Failed, picture.Failure = r.queries, r.failed, r.failure
	r.limits.ctx = whole // a page draws the panels once more, for phones
	return picture, nil
}

func (o Options) withDefaults() Options {
	if o.Width == 0 {
		o.Width = DefaultWidth
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	return o
}

// run runs a query within the time range.
func (r *renderer) run(ctx context.Context, q Query) (Result, error) {
	q.From, q.To = r.options.From, r.options.To
	var result Result
	err := ctx.Err() // which a snapshot ignores
	if err == nil {
		result, err = r.source(ctx, q)
	}
	if len(result.Series) > maxSeries {
		r.report(q.String(), fmt.Sprintf("%d series; the first %d are drawn", len(result.Series), maxSeries))
		result.Series = result.Series[:maxSeries]
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		err = timeoutError(r.options.Timeout)
	}
	if err == nil {
		if err = r.limits.hold(result); err != nil {
			result = Result{}
		}
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.queries++
	if err != nil {
		r.failed++
		if r.failure == nil || errors.Is(r.failure, ErrNoStore) {
			r.failure = err
		}
	}
	return result, err
}

// timeoutError is the error of a query that was sent or waiting at the end of that time.
type timeoutError time.Duration

func (e timeoutError) Error() string {
	return fmt.Sprintf("queries did not finish within %s; use a shorter time range or a longer timeout", time.Duration(e))
}

// Unwrap returns the error of the context.
func (timeoutError) Unwrap() error { return context.DeadlineExceeded }

// maxSeries is the number of series of one query that are drawn.
const maxSeries = 1000

// panelData is what a panel draws.
type panelData struct {
	frames    []*grafana.Frame
	exemplars []Exemplar
	cells     cells
	alerts    []Alert
	lines     []Line
	traces    []Trace
	profile   *Flame
	step      time.Duration
	err       error
	// series and rows count those of all queries.
	series, rows int
}

// fetch runs the queries of a panel that is drawn at a width.
func (r *renderer) fetch(ctx context.Context, p *panel, width float64) panelData {
	var out panelData
	if p.Type == "alertlist" {
		var result Result
		result, out.err = r.run(ctx, Query{Store: Prometheus, Kind: Alerts})
		out.alerts = result.Alerts
	}
	queries := slices.DeleteFunc(slices.Clone(p.Targets), func(t target) bool { return t.Hide || p.Type == "alertlist" })
	if len(queries) > maxTargets {
		r.report("panel "+p.Title, fmt.Sprintf("%d queries; the first %d are drawn", len(queries), maxTargets))
		queries = queries[:maxTargets]
	}
	for _, t := range queries {
		if err := r.add(ctx, p, t, width, len(queries) > 1, &out); err != nil && out.err == nil {
			out.err = err
		}
	}
	if out.err != nil {
		r.report("panel "+p.Title, out.err.Error())
	}
	return out
}

// add runs one query and adds its result to the data of a panel.
func (r *renderer) add(ctx context.Context, p *panel, t target, width float64, several bool, out *panelData) error {
	at := r.timing(p, t, width)
	q, err := r.query(p, t, at)
	if err != nil {
		return err
	}
	t.Expr, t.LegendFormat = q.Expr, r.text(t.LegendFormat)
	result, err := r.run(ctx, q)
	if err != nil {
		return err
	}
	result.Series = r.withinSeries(p, result.Series, out)
	// Points of a snapshot may be further apart.
	out.step = max(at.step, result.Step)
	switch {
	case q.Kind == Logs:
		out.lines = append(out.lines, result.Lines...)
	case q.Kind == Traces:
		out.traces = append(out.traces, result.Traces...)
	case q.Kind == Profile:
		out.profile = result.Profile
	case p.Type == "heatmap":
		r.addCells(p, heatmap(result.Series, cmp.Or(result.Step, out.step)), out)
	case t.Format == "table":
		r.addTable(p, t, result.Series, several, out)
	default:
		out.frames = append(out.frames, seriesFrames(t, result.Series)...)
	}
	if t.Exemplar && q.Kind == Range {
		q.Kind = Exemplars
		result, err := r.run(ctx, q)
		if err != nil { // the graph is drawn without them
			r.report("exemplars of panel "+p.Title, err.Error())
			return nil
		}
		out.exemplars = append(out.exemplars, thinned(result.Exemplars, out.step)...)
	}
	return nil
}

// Limits of queries that say none, as in Grafana.
const (
	maxLines  = 1000
	maxTraces = 20
)

// limitOf returns a configured limit, or the default for one that selects nothing.
func limitOf(configured, otherwise int) int {
	if configured <= 0 {
		return otherwise
	}
	return configured
}

// query returns the query of a target.
func (r *renderer) query(p *panel, t target, at timing) (Query, error) {
	q := Query{Store: r.store(t.Datasource, p.Datasource), Kind: Range, Step: at.step}
	text := t.Expr
	switch q.Store {
	case Loki:
		q.Kind, q.Limit = Logs, limitOf(t.MaxLines, maxLines)
	case Tempo:
		q.Kind, q.Limit, text = Traces, limitOf(t.Limit, maxTraces), t.Query
	case Pyroscope:
		q.Kind, q.ProfileType, text = Profile, t.ProfileTypeID, t.LabelSelector
	case Prometheus:
		if t.Instant && !t.Range {
			q.Kind, q.Step = Instant, 0
		}
	default:
		return q, fmt.Errorf("queries of %s are not supported", q.Store)
	}
	var err error
	q.Expr, err = r.interpolate(text, r.chosen, at, q.Store, setVariable)
	return q, err
}

// draw runs the queries of all panels and draws them.
func (r *renderer) draw(ctx context.Context, placed []*drawing) {
	var group sync.WaitGroup
	var crashed atomic.Value
	tickets := make(chan struct{}, maxQueries)
	for i, d := range placed {
		if d.panel.Type == "row" {
			continue
		}
		if optionsOf(d.panel.Type) == nil { // its result would not be drawn
			d.renderer.drawWithin(d, r.options.ID+"p"+strconv.Itoa(i))
			continue
		}
		group.Go(func() {
			tickets <- struct{}{}
			defer func() { <-tickets }()
			defer func() {
				if p := recover(); p != nil {
					crashed.Store(fmt.Sprintf("panel %s: %v\n%s", d.panel.Title, p, debug.Stack()))
				}
			}()
			d.data = d.renderer.fetch(ctx, d.panel, plotWidth(d.box.w))
			d.renderer.drawWithin(d, r.options.ID+"p"+strconv.Itoa(i))
		})
	}
	group.Wait()
	if p := crashed.Load(); p != nil { // in this goroutine the caller can recover it
		panic(p)
	}
}

// phone returns the panels as wide as a phone.
func (r *renderer) phone(placed []*drawing) []*drawing {
	r.limits.drawn.Store(0)
	whole := r.limits.ctx
	ctx, cancel := context.WithTimeout(whole, r.options.Timeout)
	r.limits.ctx = ctx
	defer func() {
		cancel()
		r.limits.ctx = whole
	}()
	out := make([]*drawing, len(placed))
	for i, d := range placed {
		out[i] = &drawing{renderer: d.renderer, panel: d.panel, box: box{0, 0, phoneWidth, d.box.h}, data: d.data}
		if d.panel.Type != "row" {
			d.renderer.drawWithin(out[i], r.options.ID+"n"+strconv.Itoa(i))
		}
	}
	return out
}

// plotWidth is about the number of points that a panel's width has room for, which Grafana takes for
// the step.
func plotWidth(width float64) float64 { return math.Max(width-2*padding, 1) }
