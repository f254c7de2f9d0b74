package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

const (
	// trailWithin is how long the run looks for a request that is in all signals, while it sends more
	// requests.
	trailWithin = 20 * time.Second
	// trailThink is longer than the 100 ms between two exemplars of a series, so that each request of one
	// caller has an exemplar.
	trailThink = 200 * time.Millisecond
)

// maxDurationGap is how long a process may wait for a CPU between the end of a measurement and the end of its
// span: ten periods of a throttled container.
const maxDurationGap = time.Second

// profileLink is the attribute with which Grafana finds the profile of a span.
const profileLink = "pyroscope.profile.id"

// trail is one request in every signal.
type trail struct {
	traceID string
	series  labels.Labels // of the exemplar
	seconds float64       // value of the exemplar
	span    servicetest.Span
	line    line
	profile string // type of the profile that contains the span
}

// trail follows one request from the exemplar of a metric to its span, its log line and its profile.
func (s *session) trail(ctx context.Context) error {
	driving, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.driver.drive(driving, mix{[]manner{busily}, trailThink, false})
	}()
	var found trail
	var why error
	waiting, cancel := context.WithTimeout(ctx, cmp.Or(s.options.TrailWithin, trailWithin))
	defer cancel()
	_ = until(waiting, "a request is in every signal", func() bool {
		pause(waiting, 200*time.Millisecond)
		found, why = s.follow()
		return why == nil
	}, s.watch.trouble)
	stop()
	<-done
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.checks.Record(sectionTrail, "a request can be followed from exemplar to span, log line and profile",
		fmt.Sprintf("trace %s: an exemplar of %s, the span %q, its log line, a profile of %s", found.traceID, found.series.Get(semconv.LabelRoute), found.span.Name, found.profile), why)
	if why == nil {
		s.followed = &found
		s.judgeTrail(found)
	}
	return nil
}

// observation is the series and the value of an exemplar.
type observation struct {
	series  labels.Labels
	seconds float64
}

// follow looks for a request that is in all signals; of several it returns the one with the most spans. The error
// names the first signal that no request reached.
func (s *session) follow() (trail, error) {
	s.collectExemplars()
	if len(s.exemplarOf) == 0 {
		return trail{}, fmt.Errorf("no bucket of %s for successful requests has an exemplar", semconv.HTTPServerRequestDuration)
	}
	profiled := s.profiledSpans()
	var exported bool
	var unlogged string // trace id
	var found *trail
	spans, most := s.receiver.Spans(), 0
	size := map[string]int{} // spans by trace id
	for _, span := range spans {
		size[span.TraceID]++
	}
	for _, span := range spans {
		e, ok := s.exemplarOf[span.TraceID]
		if !ok || span.ParentID != "" || size[span.TraceID] <= most {
			continue
		}
		exported = true
		kind, ok := profiled[span.SpanID]
		if !ok {
			continue
		}
		if l, ok := s.lineOf(span); ok {
			found, most = &trail{span.TraceID, e.series, e.seconds, span, l, kind}, size[span.TraceID]
			continue
		}
		unlogged = span.TraceID
	}
	switch {
	case found != nil:
		return *found, nil
	case unlogged != "":
		return trail{}, fmt.Errorf("no log line has the trace id %s of an exported span", unlogged)
	case exported:
		return trail{}, errors.New("no profile has the span of a request with an exemplar")
	}
	return trail{}, errors.New("the trace of no exemplar was exported")
}

// collectExemplars stores the exemplars of successful requests. A series only has its newest exemplars, and
// the profile of a request arrives seconds later.
func (s *session) collectExemplars() {
	if s.exemplarOf == nil {
		s.exemplarOf = map[string]observation{}
	}
	for _, r := range s.exemplars() {
		if r.SeriesLabels.Get(semconv.LabelOutcome) != semconv.OutcomeSuccess {
			continue // failures are always traced and logged
		}
		for _, e := range r.Exemplars {
			s.exemplarOf[traceOf(e)] = observation{r.SeriesLabels, e.Value}
		}
	}
}

// exemplars returns the exemplars of the request duration.
func (s *session) exemplars() []exemplar.QueryResult {
	ms := []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, semconv.HTTPServerRequestDuration+"(_bucket)?")}
	return cmp.Or(s.seen, s.watch.store).Exemplars(math.MinInt64, math.MaxInt64, ms)
}

func traceOf(e exemplar.Exemplar) string { return e.Labels.Get(semconv.ExemplarTraceID) }

func (s *session) lineOf(span servicetest.Span) (line, bool) {
	for _, l := range s.log() {
		if l.text("trace_id") == span.TraceID && l.text("span_id") == span.SpanID && l[semconv.LabelRoute] != nil {
			return l, true
		}
	}
	return nil, false
}

// profiledSpans returns the profile type of each span that has profile samples.
func (s *session) profiledSpans() map[string]string {
	out := map[string]string{}
	for _, u := range s.profiles() {
		for _, sample := range u.data.Sample {
			for _, id := range sample.Label["span_id"] {
				out[id] = u.data.SampleType[len(u.data.SampleType)-1].Type
			}
		}
	}
	return out
}

// judgeTrail checks that the signals agree about the request.
func (s *session) judgeTrail(t trail) {
	var problems []error
	want := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			problems = append(problems, fmt.Errorf("%s is %v, but %v on the metric", what, got, want))
		}
	}
	want("the name of the span", t.span.Name, t.series.Get(semconv.LabelMethod)+" "+t.series.Get(semconv.LabelRoute))
	want("the route of the span", t.span.Attributes["http.route"], t.series.Get(semconv.LabelRoute))
	want("the route of the log line", t.line[semconv.LabelRoute], t.series.Get(semconv.LabelRoute))
	want("the status of the log line", t.line[semconv.LabelStatus], t.series.Get(semconv.LabelStatus))
	want("the method of the log line", t.line[semconv.LabelMethod], t.series.Get(semconv.LabelMethod))
	want("the outcome of the log line", t.line[semconv.LabelOutcome], t.series.Get(semconv.LabelOutcome))
	if took := t.span.End.Sub(t.span.Start).Seconds(); math.Abs(t.seconds-took) > max(took/2, maxDurationGap.Seconds()) {
		problems = append(problems, fmt.Errorf("the metric has a duration of %g s, but the span took %g s; observe seconds", t.seconds, took))
	}
	if t.line["sampled"] != true {
		problems = append(problems, errors.New("the log line has no sampled: true, so dashboards do not link it to its trace"))
	}
	if id := t.span.Attributes[profileLink]; id != t.span.SpanID {
		problems = append(problems, fmt.Errorf("the span's %s is %v instead of its own id, so Grafana does not find its profile", profileLink, id))
	}
	if name := t.span.Resource["service.name"]; name != s.subject.Service {
		problems = append(problems, fmt.Errorf("the span is of %v, the dashboards are of %s", name, s.subject.Service))
	}
	s.checks.Record(sectionTrail, "all signals agree about route, method, status, outcome and duration", t.span.Name, errors.Join(problems...))
}
