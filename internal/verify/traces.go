package verify

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// spanCondition is one comparison of a TraceQL query.
type spanCondition struct {
	text, scope, name string // of an attribute; the scope is empty for status and name
	equal             bool
	value             string
}

var comparison = regexp.MustCompile(`^(?:(resource|span)?\.)?([\w.]+)\s*(!?=)\s*("(?:[^"\\]|\\.)*"|[\w.]+)$`)

// spanConditions parses the TraceQL that dashboards use: comparisons with = and != that are joined by &&.
func spanConditions(query string) ([]spanCondition, bool) {
	body, ok := strings.CutPrefix(strings.TrimSpace(query), "{")
	body, closed := strings.CutSuffix(body, "}")
	if !ok || !closed {
		return nil, false
	}
	var out []spanCondition
	for part := range strings.SplitSeq(body, "&&") {
		m := comparison.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, false
		}
		value := m[4]
		if text, err := strconv.Unquote(value); err == nil {
			value = text
		}
		out = append(out, spanCondition{strings.TrimSpace(part), m[1], m[2], m[3] == "=", value})
	}
	return out, true
}

// matches reports whether a span fulfills the condition.
func (c spanCondition) matches(s servicetest.Span) bool {
	var found any
	switch {
	case c.scope == "resource":
		found = s.Resource[c.name]
	case c.name == "name" && c.scope == "":
		found = s.Name
	case c.name == "status" && c.scope == "":
		found = "unset"
		if s.Failed {
			found = "error"
		}
	default:
		found = s.Attributes[c.name]
	}
	return (fmt.Sprint(found) == c.value) == c.equal
}

// spansOf returns the spans that fulfill all conditions.
func spansOf(all []servicetest.Span, conditions []spanCondition) []servicetest.Span {
	return slices.DeleteFunc(slices.Clone(all), func(s servicetest.Span) bool {
		return slices.ContainsFunc(conditions, func(c spanCondition) bool { return !c.matches(s) })
	})
}

// askTraces runs a query on the spans that the service exported. Without a result, each condition on the
// resource must at least hold for some span.
func (s *session) askTraces(query string, q question) (report.Status, string) {
	conditions, ok := spanConditions(query)
	if !ok {
		return report.Skipped, "verify runs only TraceQL such as { resource.service.name = \"orders\" && status = error }"
	}
	all := s.receiver.Spans()
	for _, c := range conditions {
		if c.scope == "resource" && len(spansOf(all, []spanCondition{c})) == 0 {
			return report.Failed, fmt.Sprintf("no exported span has %s; resources are %v", c.text, resources(all))
		}
	}
	found := len(spansOf(all, conditions))
	return s.judgeOther(fmt.Sprintf("%d spans", found), found > 0, nil)(q)
}

// resources describes the different resources of spans.
func resources(all []servicetest.Span) []string {
	var out []string
	for _, s := range all {
		if text := fmt.Sprint(s.Resource); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// tracesResult returns the traces of matching spans in an environment, newest first, with their times of the run.
func (s *session) tracesResult(q render.Query, environment string) render.Result {
	conditions, ok := spanConditions(q.Expr)
	if !ok {
		return render.Result{}
	}
	all := s.spansOfEnvironment(environment)
	traces := map[string]render.Trace{}
	simulated := s.clock()
	for _, match := range spansOf(all, conditions) {
		if !within(q, simulated(match.Start)) {
			continue
		}
		traces[match.TraceID] = render.Trace{}
	}
	for _, span := range all {
		if t, wanted := traces[span.TraceID]; wanted && (t.ID == "" || span.ParentID == "") {
			traces[span.TraceID] = render.Trace{
				ID: span.TraceID, Start: span.Start.UTC(), Service: fmt.Sprint(span.Resource["service.name"]), Name: span.Name,
				Duration: span.End.Sub(span.Start).Round(time.Microsecond),
			}
		}
	}
	var out render.Result
	for _, t := range traces {
		out.Traces = append(out.Traces, t)
	}
	slices.SortFunc(out.Traces, func(a, b render.Trace) int { return cmp.Or(b.Start.Compare(a.Start), strings.Compare(a.ID, b.ID)) })
	out.Traces = out.Traces[:min(len(out.Traces), q.Limit)]
	return out
}
