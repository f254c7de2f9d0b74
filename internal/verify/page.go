package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// timeBefore is the simulated time before an incident that its dashboards show.
const timeBefore = 15 * time.Minute

// injected is the name of the state in which the page shows also the panels of collapsed rows.
const injected = "injected failures"

// state is a time range of the run, for the HTML report.
type state struct {
	name     string
	from, to time.Time
}

// entered records that the service has been in a state until now, and returns the current simulated time.
func (s *session) entered(name string, from time.Time) time.Time {
	now := s.watch.time()
	s.states = append(s.states, state{name, from, now})
	return now
}

// page draws the dashboards in each state of the run, and the request that is in all signals.
func (s *session) page(ctx context.Context) {
	if s.options.Page == nil || ctx.Err() != nil {
		return
	}
	s.options.Progress("drawing the dashboards")
	s.prober.reach()
	var out report.Page
	if s.followed != nil {
		out.Request = s.request(ctx, *s.followed)
	}
	states := s.states
	if len(states) == 0 {
		states = []state{{"whole run", s.prober.from, s.prober.to}}
	}
	if !s.selected(sectionDashboards) {
		states = nil
	}
	for i, one := range states {
		shown := report.State{Name: one.name, From: one.from, To: one.to}
		source := remembered(s.stateSource(one.to))
		for j, b := range overviewFirst(s.subject.Dashboards) {
			src, err := userfile.Read(filepath.Join(s.subject.Dir, filepath.FromSlash(b.File)), userfile.LargeLimit)
			if err != nil {
				continue // the run has read it before
			}
			if d, ok := s.drawing(ctx, b.File, src, source, render.Options{From: one.from, To: one.to, OpenRows: one.name == injected, ID: fmt.Sprintf("s%dd%d", i, j)}); ok {
				shown.Dashboards = append(shown.Dashboards, d)
			}
		}
		out.States = append(out.States, shown)
	}
	s.options.Page(out)
}

// overviewFirst returns the dashboards in the order in which they are read.
func overviewFirst(all []dashboardfile.Dashboard) []dashboardfile.Dashboard {
	later := func(b dashboardfile.Dashboard) int {
		if strings.HasSuffix(b.UID, "-overview") {
			return 0
		}
		return 1
	}
	return slices.SortedStableFunc(slices.Values(all), func(a, b dashboardfile.Dashboard) int { return later(a) - later(b) })
}

// screenWidth is that of the screen for which dashboards are laid out. A page shows them smaller.
const screenWidth = 1600

// drawing draws a dashboard in both themes; ok is false for a file that is not a dashboard.
func (s *session) drawing(ctx context.Context, file string, src []byte, source render.Source, o render.Options) (d report.Drawing, ok bool) {
	o.Now, o.Location, o.ScrapeInterval, o.Width = o.To, time.UTC, s.subject.ScrapeInterval, screenWidth
	for _, theme := range []struct {
		light bool
		into  *[]byte
	}{{true, &d.Light}, {false, &d.Dark}} {
		o.Light = theme.light
		picture, err := render.Dashboard(ctx, file, src, source, o)
		if err == nil {
			*theme.into, err = picture.Fragment()
		}
		if err != nil {
			return d, false
		}
		d.Title, d.Subtitle, d.Problems = cmp.Or(picture.Title(), file), picture.Subtitle(), picture.Problems
	}
	return d, true
}

// stateSource returns the source of a state that ended at a time: the alerts are those that fired then.
func (s *session) stateSource(end time.Time) render.Source {
	source := s.source()
	return func(ctx context.Context, q render.Query) (render.Result, error) {
		if q.Kind != render.Alerts {
			return source(ctx, q)
		}
		var out render.Result
		for _, f := range s.watch.history() {
			if f.At(end) {
				out.Alerts = append(out.Alerts, render.Alert{Name: f.Alert, State: "firing", Since: f.ActiveAt, Labels: f.Labels.Map()})
			}
		}
		return out, nil
	}
}

// remembered returns a source that runs each query once: both themes have the same data.
func remembered(source render.Source) render.Source {
	var results sync.Map
	return func(ctx context.Context, q render.Query) (render.Result, error) {
		if found, ok := results.Load(q); ok {
			result, _ := found.(render.Result)
			return result, nil
		}
		result, err := source(ctx, q)
		if err == nil {
			results.Store(q, result)
		}
		return result, err
	}
}

// request returns all that the run has about a request.
func (s *session) request(ctx context.Context, t trail) *report.Request {
	out := &report.Request{TraceID: t.traceID, Exemplar: fmt.Sprintf("%s %g s, trace_id=%s", t.series, t.seconds, t.traceID)}
	spans := slices.DeleteFunc(s.receiver.Spans(), func(span servicetest.Span) bool { return span.TraceID != t.traceID })
	slices.SortStableFunc(spans, func(a, b servicetest.Span) int { return a.Start.Compare(b.Start) })
	out.Spans = waterfall(spans, t.span, 0, t.span.Start, map[string]bool{})
	for _, l := range s.log() {
		if raw, err := json.Marshal(l); err == nil && l.text("trace_id") == t.traceID {
			out.Lines = append(out.Lines, string(raw))
		}
	}
	ids := map[string]bool{}
	for _, span := range spans {
		ids[span.SpanID] = true
	}
	out.Profile = s.flameGraph(ctx, ids)
	return out
}

// waterfall returns a span and those below it. drawn are the ids of spans that it has already: some ids occur twice,
// as in a batch that was sent again.
func waterfall(all []servicetest.Span, span servicetest.Span, depth int, began time.Time, drawn map[string]bool) []report.Span {
	drawn[span.SpanID] = true
	one := report.Span{
		Name: span.Name, Depth: depth, Failed: span.Failed,
		Start: span.Start.Sub(began), Duration: span.End.Sub(span.Start).Round(time.Microsecond),
	}
	for _, key := range slices.Sorted(maps.Keys(span.Attributes)) {
		one.Attributes = append(one.Attributes, fmt.Sprintf("%s: %v", key, span.Attributes[key]))
	}
	out := []report.Span{one}
	for _, child := range all {
		if child.ParentID == span.SpanID && !drawn[child.SpanID] {
			out = append(out, waterfall(all, child, depth+1, began, drawn)...)
		}
	}
	return out
}

// flameGraph draws the CPU time of spans; nil if no profile has samples of them.
func (s *session) flameGraph(ctx context.Context, spans map[string]bool) *report.Drawing {
	root := render.Flame{Name: "total", Unit: "ns"}
	for _, u := range s.profiles() {
		last := len(u.data.SampleType) - 1
		for _, sample := range u.data.Sample {
			if u.data.SampleType[last].Type != "cpu" || !slices.ContainsFunc(sample.Label["span_id"], func(id string) bool { return spans[id] }) {
				continue
			}
			addSample(&root, sample, float64(sample.Value[last]))
		}
	}
	if root.Total == 0 {
		return nil
	}
	const functionsPerUnit, frame = 1.7, 3 // of Grafana's grid
	src := fmt.Sprintf(`{"title":"CPU time of one request","panels":[{"type":"flamegraph","title":"CPU time","gridPos":{"h":%d,"w":24,"x":0,"y":0},
		"datasource":{"type":%q},"targets":[{"refId":"A","labelSelector":"{}","profileTypeId":"cpu"}]}]}`, int(float64(height(root))/functionsPerUnit)+frame, render.Pyroscope)
	source := func(context.Context, render.Query) (render.Result, error) { return render.Result{Profile: &root}, nil }
	d, ok := s.drawing(ctx, "request", []byte(src), source, render.Options{From: s.prober.from, To: s.prober.to, ID: "request"})
	if !ok {
		return nil
	}
	return &d
}

// height returns the number of functions on the deepest stack.
func height(f render.Flame) int {
	deepest := 0
	for _, child := range f.Children {
		deepest = max(deepest, height(child))
	}
	return deepest + 1
}
