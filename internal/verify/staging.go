package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/queryapi"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// staging is another environment in the stores, which dashboards of [Environment] must not show. It has what
// the run has seen, later: its service is healthy while the one of the run is broken, and broken after that.
// Its instances, versions, log lines and traces have other names.
const staging = "staging"

// staged returns a value as it is in staging.
func staged(value string) string { return value + "-" + staging }

// later is the time after which the same happens in staging.
func (s *session) later() time.Duration { return s.broken.Sub(s.healthy) }

// stagedLabels returns the labels of a series in staging.
func stagedLabels(l labels.Labels) labels.Labels {
	b := labels.NewBuilder(l)
	l.Range(func(one labels.Label) {
		switch {
		case one.Value == Environment:
			b.Set(one.Name, staging)
		case one.Name == semconv.LabelInstance || one.Name == "version":
			b.Set(one.Name, staged(one.Value))
		}
	})
	return b.Labels()
}

// besideStaging returns a source of what the run has seen until a time, and of staging.
func (s *session) besideStaging(end time.Time) render.Source {
	twin := metricstore.Twin{Store: s.watch.store, Later: s.later(), Label: stagedLabels}
	metrics := &queryapi.Prometheus{Store: twin, Rules: s.watch.ev.Over(twin)}
	own := s.stateSource(end)
	return func(ctx context.Context, q render.Query) (render.Result, error) {
		if q.Store == render.Prometheus && q.Kind != render.Alerts {
			return metrics.Query(ctx, q)
		}
		out, err := own(ctx, q)
		if err != nil {
			return out, err
		}
		switch {
		case q.Kind == render.Alerts:
			out.Alerts = append(out.Alerts, s.stagedAlerts(end)...)
		case q.Store == render.Loki:
			other, _ := s.logsResult(q, staging) // a query that does not match staging is the correct one
			out.Lines = latest(append(out.Lines, other.Lines...), q.Limit)
		case q.Store == render.Tempo:
			out.Traces = append(s.tracesResult(q, staging).Traces, out.Traces...)
		case q.Store == render.Pyroscope:
			if other, _ := s.profileResult(q, staging); other.Profile != nil { // as for logs
				out.Profile = other.Profile
			}
		}
		return out, nil
	}
}

// stagedAlerts returns the alerts that fire in staging.
func (s *session) stagedAlerts(end time.Time) []render.Alert {
	var out []render.Alert
	for _, f := range s.watch.history() {
		if f.At(end.Add(-s.later())) {
			out = append(out, render.Alert{Name: f.Alert, State: "firing", Since: f.ActiveAt.Add(s.later()), Labels: stagedLabels(f.Labels).Map()})
		}
	}
	return out
}

// latest returns the last lines, in the order of their times.
func latest(lines []render.Line, limit int) []render.Line {
	slices.SortStableFunc(lines, func(a, b render.Line) int { return a.Time.Compare(b.Time) })
	return lines[max(0, len(lines)-limit):]
}

// logLabels returns the labels of the log stream of an environment.
func (s *session) logLabels(environment string) map[string]string {
	return map[string]string{
		semconv.LabelServiceName: s.subject.Service, semconv.LabelEnvironment: environment, s.subject.EnvironmentLabel: environment, "service": s.subject.Service,
	}
}

// profilesOf returns the profiles of an environment.
func (s *session) profilesOf(environment string) []upload {
	out := slices.Clone(s.profiles())
	for i, u := range out {
		out[i].labels = maps.Clone(u.labels)
		for name, value := range u.labels {
			if value == Environment {
				out[i].labels[name] = environment
			}
		}
	}
	return out
}

// spansOfEnvironment returns the spans of an environment.
func (s *session) spansOfEnvironment(environment string) []servicetest.Span {
	all := s.receiver.Spans()
	if environment == Environment {
		return all
	}
	out := slices.Clone(all)
	for i, span := range out {
		out[i].TraceID, out[i].Resource = staged(span.TraceID), maps.Clone(span.Resource)
		for name, value := range span.Resource {
			if value == Environment {
				out[i].Resource[name] = environment
			}
		}
	}
	return out
}

// isolated checks that no panel of a dashboard, also in a collapsed row, shows anything of staging while the service
// is broken: with staging in the stores, it must show the same as without.
func (s *session) isolated(ctx context.Context, b dashboardfile.Dashboard) {
	var pictures [2]*render.Picture
	for i, source := range []render.Source{s.stateSource(s.broken), s.besideStaging(s.broken)} {
		var err error
		if pictures[i], err = s.drawnFrom(ctx, b, s.broken, source, expanded); err != nil {
			s.checks.Add(report.Check{Section: sectionDashboards, Kind: report.Answer, Name: "broken: nothing of " + staging, File: b.File, Status: report.Failed, Detail: err.Error()})
			return
		}
	}
	seen := map[string]bool{}
	for _, p := range b.Panels {
		if len(p.Targets) == 0 && p.Type != "alertlist" || seen[p.Title] {
			continue
		}
		seen[p.Title] = true
		alone, beside := pictures[0].Shown(p.Title), pictures[1].Shown(p.Title)
		c := report.Check{Section: sectionDashboards, Kind: report.Answer, Name: "broken: panel " + p.Title + ": nothing of " + staging, File: b.File, Line: p.Line, Status: report.Passed, Detail: "the same as without " + staging}
		if !reflect.DeepEqual(alone, beside) {
			c.Status, c.Detail = report.Failed, difference(alone, beside)+"; select the environment in each of its queries"
		}
		if !shows(alone) && !shows(beside) {
			c.Kind, c.Detail = "", "it is empty" // nothing that could be right
		}
		s.checks.Add(c)
	}
}

// shows reports whether panels have data.
func shows(panels []render.Shown) bool {
	return slices.ContainsFunc(panels, func(p render.Shown) bool {
		return len(p.Series)+len(p.Rows)+len(p.Of("log"))+len(p.Of("value"))+len(p.Of("frame"))+len(p.Of("alert")) > 0
	})
}

// difference describes the first text that is only in one of two drawings of a panel.
func difference(alone, beside []render.Shown) string {
	for i, panel := range beside {
		if i >= len(alone) {
			break
		}
		for j, t := range panel.Texts {
			if j >= len(alone[i].Texts) {
				return fmt.Sprintf("with %s in the stores it also shows %q", staging, t.Text)
			}
			if alone[i].Texts[j] != t {
				return fmt.Sprintf("with %s in the stores it shows %q in %s instead of %q in %s", staging, t.Text, t.Color, alone[i].Texts[j].Text, alone[i].Texts[j].Color)
			}
		}
	}
	return "its drawing differs with " + staging + " in the stores"
}

// environmentChoice selects the environment of the run in the variables that have environments.
func (s *session) environmentChoice(b dashboardfile.Dashboard) map[string][]string {
	out := map[string][]string{}
	for _, v := range b.Variables {
		if _, label := v.PromQL(); label != "" && label == s.subject.EnvironmentLabel {
			out[v.Name] = []string{Environment}
		}
	}
	return out
}

// drawnFrom draws a dashboard at a time, with the data of a source.
func (s *session) drawnFrom(ctx context.Context, b dashboardfile.Dashboard, at time.Time, source render.Source, change func([]byte) ([]byte, error)) (*render.Picture, error) {
	src, err := userfile.Read(filepath.Join(s.subject.Dir, filepath.FromSlash(b.File)), userfile.LargeLimit)
	if err == nil {
		src, err = change(src)
	}
	if err != nil {
		return nil, err
	}
	return render.Dashboard(ctx, b.File, src, source, render.Options{
		From: at.Add(-pictured), To: at, Now: at, Width: screenWidth, ScrapeInterval: s.subject.ScrapeInterval, Location: time.UTC, Variables: s.environmentChoice(b),
	})
}

// unchanged is the first screen of a dashboard.
func unchanged(src []byte) ([]byte, error) { return src, nil }

// expanded opens the collapsed rows of a dashboard.
func expanded(src []byte) ([]byte, error) {
	var dashboard map[string]any
	if err := json.Unmarshal(src, &dashboard); err != nil {
		return nil, err
	}
	panels, _ := dashboard["panels"].([]any)
	var out []any
	for _, p := range panels {
		row, _ := p.(map[string]any)
		inside, _ := row["panels"].([]any)
		if len(inside) > 0 {
			row["collapsed"], row["panels"] = false, []any{}
		}
		out = append(append(out, p), inside...)
	}
	dashboard["panels"] = out
	return json.Marshal(dashboard)
}
