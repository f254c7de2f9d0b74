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
	"time"

	"github.com/google/pprof/profile"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/queryapi"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/userfile"
)

// snapshot draws each dashboard, which records the results of its queries. Its problems are not failed
// checks: those of queries are reported before, and the renderer's own are not the service's.
func (s *session) snapshot(ctx context.Context) {
	if s.options.Snapshot == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil { // the report of the other checks must not be lost
			reason, _, _ := strings.Cut(fmt.Sprint(p), "\n")
			s.checks.Add(report.Check{Section: sectionDashboards, Name: "snapshot", Status: report.Skipped, Detail: "the renderer has a bug: " + reason})
		}
	}()
	recorder := render.Record(s.stateSource(s.prober.to))
	variables := map[string][]string{}
	for _, b := range s.subject.Dashboards {
		src, err := userfile.Read(filepath.Join(s.subject.Dir, filepath.FromSlash(b.File)), userfile.LargeLimit)
		var picture *render.Picture
		if err == nil {
			picture, err = render.Dashboard(ctx, b.File, src, recorder.Query, render.Options{
				From: s.prober.from, To: s.prober.to, Now: s.prober.to, ScrapeInterval: s.subject.ScrapeInterval,
			})
		}
		if err != nil {
			s.checks.Add(report.Check{Section: sectionDashboards, Name: "snapshot", File: b.File, Status: report.Skipped, Detail: err.Error()})
			continue
		}
		maps.Copy(variables, picture.Variables())
	}
	recorded := recorder.Snapshot(s.prober.from, s.prober.to)
	recorded.ScrapeInterval, recorded.Width = s.subject.ScrapeInterval, render.DefaultWidth
	recorded.Variables = variables
	s.options.Snapshot(recorded)
}

// source returns a source of what the run has stored and received.
func (s *session) source() render.Source {
	store := &queryapi.Prometheus{Store: s.watch.store, Rules: s.watch.ev}
	return func(ctx context.Context, q render.Query) (render.Result, error) {
		switch q.Store {
		case render.Loki:
			return s.logsResult(q, Environment)
		case render.Pyroscope:
			return s.profileResult(q, Environment)
		case render.Tempo:
			return s.tracesResult(q, Environment), nil
		}
		return store.Query(ctx, q)
	}
}

// clock converts times of the service, whose clock is not the simulated one. Its events are spread over the
// simulated time as they were over the run.
func (s *session) clock() func(time.Time) time.Time {
	began := s.childAt(s.prober.from).began
	elapsed := cmp.Or(s.prober.asked, time.Now()).Sub(began)
	span := s.prober.to.Sub(s.prober.from)
	return func(at time.Time) time.Time {
		share := min(max(float64(at.Sub(began))/float64(elapsed), 0), 1)
		return s.prober.from.Add(time.Duration(share * float64(span))).UTC()
	}
}

// within reports whether a time is in the time range of a query.
func within(q render.Query, at time.Time) bool { return !at.Before(q.From) && !at.After(q.To) }

// logsResult returns lines of the service in an environment.
func (s *session) logsResult(q render.Query, environment string) (render.Result, error) {
	lines, err := s.logLines(q.Expr, environment)
	if err != nil || len(lines) == 0 {
		return render.Result{}, err
	}
	var out render.Result
	simulated := s.clock()
	for _, l := range lines {
		at, err := time.Parse(time.RFC3339Nano, l.text("time"))
		if err != nil || !within(q, simulated(at)) {
			continue
		}
		text := l.text("msg")
		if text == "" {
			raw, err := json.Marshal(l)
			if err != nil {
				return render.Result{}, err
			}
			text = string(raw)
		}
		if environment != Environment {
			text = staged(text)
		}
		out.Lines = append(out.Lines, render.Line{Time: simulated(at), Text: text, Labels: labelsOfLine(l)})
	}
	out.Lines = out.Lines[max(0, len(out.Lines)-q.Limit):]
	return out, nil
}

// profileResult merges the uploads of a profile type in an environment.
func (s *session) profileResult(q render.Query, environment string) (render.Result, error) {
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(q.Expr)
	if err != nil {
		return render.Result{}, fmt.Errorf("selector of profiles: %w", err)
	}
	parts := strings.Split(q.ProfileType, ":")
	if len(parts) < 3 {
		return render.Result{}, fmt.Errorf("profile type %q: write it as memory:inuse_space:bytes:space:bytes", q.ProfileType)
	}
	root := render.Flame{Name: "total", Unit: map[string]string{"nanoseconds": "ns", "bytes": "bytes"}[parts[2]]}
	simulated := s.clock()
	index := func(u upload) int {
		if !matchesAll(ms, u.labels) {
			return -1
		}
		return slices.IndexFunc(u.data.SampleType, func(t *profile.ValueType) bool { return t.Type == parts[1] && t.Unit == parts[2] })
	}
	var all, newest []upload
	for _, u := range s.profilesOf(environment) {
		switch taken := simulated(time.Unix(0, u.data.TimeNanos)); {
		case index(u) < 0 || taken.After(q.To):
		case taken.Before(q.From):
			newest = []upload{u}
		default:
			all = append(all, u)
		}
	}
	if len(all) == 0 { // simulated time passes faster than uploads arrive, so that a short range may have none
		all = newest
	}
	for _, u := range all {
		for _, sample := range u.data.Sample {
			addSample(&root, sample, float64(sample.Value[index(u)]))
		}
	}
	if root.Total == 0 {
		return render.Result{}, nil
	}
	return render.Result{Profile: &root}, nil
}

// addSample adds the value of a stack to a tree of functions.
func addSample(root *render.Flame, sample *profile.Sample, value float64) {
	at := root
	at.Total += value
	for _, location := range slices.Backward(sample.Location) {
		for _, l := range slices.Backward(location.Line) {
			if l.Function == nil {
				continue
			}
			i := slices.IndexFunc(at.Children, func(f render.Flame) bool { return f.Name == l.Function.Name })
			if i < 0 {
				i = len(at.Children)
				at.Children = append(at.Children, render.Flame{Name: l.Function.Name})
			}
			at = &at.Children[i]
			at.Total += value
		}
	}
	at.Self += value
}
