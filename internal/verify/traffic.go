package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/openapi"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Simulated time of each part of the traffic: healthy until the one-hour recordings have values, broken long
// enough for every page, and calm until no alert fires.
const (
	healthyFor = 75 * time.Minute
	brokenFor  = 40 * time.Minute
	calmFor    = 45 * time.Minute
)

// Limits of the pause of a caller between two requests.
const (
	minThink = 20 * time.Millisecond
	maxThink = 100 * time.Millisecond
)

// The mixes cover every route and quantile, but are not a load test. While the service is broken, at least a
// fifth of the requests are slow and at least a fifth fail, so that every objective burns budget.
func healthyMix(think time.Duration) mix {
	return mix{[]manner{well, well, well, wrongly}, think, false}
}

func brokenMix() mix {
	return mix{[]manner{well, wrongly, failing, failing, shedded, slowly, slowly, slowly, slowly}, 60 * time.Millisecond, true}
}

func calmMix(think time.Duration) mix { return mix{[]manner{well, well, well, well}, think, false} }

// breakOne sends requests to one route that fail. Twice as many are errors of the client on another route, so that the
// route with most failures is not the one with most requests. Successes would make latency objectives look better.
func (d *driver) breakOne(ctx context.Context) {
	c := caller{driver: d, members: map[string]member{}}
	broken, busy := d.breakable()
	for broken != nil && ctx.Err() == nil {
		c.call(ctx, *broken, failing)
		for range 2 * len(busy) {
			c.call(ctx, busy[0], wrongly)
		}
		pause(ctx, minThink)
	}
}

// breakable returns the operation that fails more than the others: the last one that changes nothing, or else
// the last one. busy has another one that changes nothing, if there is one.
func (d *driver) breakable() (broken *openapi.Operation, busy []openapi.Operation) {
	for _, op := range d.order() {
		if !slices.Contains(d.routes, op.Key()) {
			continue
		}
		if broken != nil && broken.Method == http.MethodGet && op.Method != http.MethodGet {
			continue
		}
		if broken != nil && broken.Method == http.MethodGet {
			busy = []openapi.Operation{*broken}
		}
		broken = &op
	}
	return broken, busy
}

// think returns the pause of a caller between two requests. A caller reaches every route within a second, or
// as soon as possible.
func (s *session) think() time.Duration {
	return max(minThink, min(maxThink, time.Second/time.Duration(max(len(s.signals.Routes), 1))))
}

// traffic sends requests to every route and checks that they ended in every manner.
func (s *session) traffic(ctx context.Context) error {
	if len(s.signals.Routes) == 0 {
		s.checks.Failf(sectionTraffic, "routes", "%s", errNoRoutes)
		return nil
	}
	unrequested := s.driver.unrequested()
	s.judgeRequests(unrequested)
	s.checks.Add(s.driver.own(ctx, s.subject.RequestsFile)...)
	s.contract(ctx)
	// Healthy for an hour of simulated time, then everything else.
	began := s.watch.time()
	var err error
	if s.healthy, err = s.driveFor(ctx, healthyFor, healthyMix(s.think())); err != nil {
		return err
	}
	s.judgeQuiet()
	broken := s.entered("healthy", began)
	if s.broken, err = s.driveFor(ctx, brokenFor, brokenMix()); err != nil {
		return err
	}
	s.entered(injected, broken.Add(-timeBefore))
	planned := s.judgeUnimplemented(ctx)
	if s.recovered, err = s.driveFor(ctx, calmFor, calmMix(s.think())); err != nil {
		return err
	}
	for _, route := range s.signals.Routes {
		if !slices.Contains(slices.Concat(unrequested, planned), route) {
			s.judgeRoute(ctx, route)
		}
	}
	s.judgeDurations(ctx)
	for _, op := range s.document.Operations {
		if !slices.Contains(s.signals.Routes, op.Key()) {
			s.checks.Failf(sectionTraffic, op.Key(), "it is in the OpenAPI document, but the service does not declare the route, so its failures are not counted; add it to the chi router or declare it with httpserver.Routes")
		}
	}
	return nil
}

// judgeRequests fails for routes to which no request can be sent, since no other check names that cause. A
// service without any request gets one failure.
func (s *session) judgeRequests(unrequested []string) {
	if len(s.document.Operations) == 0 && len(s.driver.file.Requests) == 0 && len(unrequested) > 0 {
		s.checks.Failf(sectionTraffic, "requests", "no request can be sent to %s: the service has no OpenAPI document and no %s; add a valid request to each route to %s; other failures may follow from this one",
			strings.Join(unrequested, ", "), RequestFile, RequestFile)
		return
	}
	for _, route := range unrequested {
		s.checks.Failf(sectionTraffic, route, "no request was sent, since the route is not in the OpenAPI document (api/openapi.json); add it there, or add a valid request to %s", RequestFile)
	}
}

// judgeQuiet checks that no alert fires while the service is healthy.
func (s *session) judgeQuiet() {
	var problems []error
	for _, f := range s.watch.history() {
		problems = append(problems, fmt.Errorf("%s fires with the value %g while the service is healthy", f.Labels, f.Value))
	}
	s.checks.Record(sectionRules, "no alert fires while the service is healthy", healthyFor.String()+" of valid and invalid requests, and no alert fires", errors.Join(problems...))
}

// driveFor sends requests until an amount of simulated time has passed, and returns the time of the last one.
// Responses may arrive later.
func (s *session) driveFor(ctx context.Context, d time.Duration, m mix) (time.Time, error) {
	driving, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.driver.drive(driving, m)
	}()
	err := s.watch.pass(ctx, d)
	end := s.watch.time()
	stop()
	<-done
	return end, err
}

// judgeDurations compares the durations in the metric with the time that clients waited. They are shorter,
// unless a handler continues after its response. A wrong unit makes them at least 60 times longer.
func (s *session) judgeDurations(ctx context.Context) {
	const total = semconv.HTTPServerRequestDuration
	v, err := s.watch.query(ctx, fmt.Sprintf("sum(%[1]s_sum) or sum(histogram_sum(%[1]s))", total))
	waited := time.Duration(s.driver.waited.Load()).Seconds()
	switch {
	case err != nil:
	case len(v) != 1:
		err = fmt.Errorf("%s has no sum", total)
	case v[0].F > 10*waited+1:
		err = fmt.Errorf("%s has %.3g s of requests, but clients waited for %.3g s; observe seconds", total, v[0].F, waited)
	}
	s.checks.Record(sectionTraffic, "durations are in seconds", "at most ten times as long as clients waited", err)
}

// judgeRoute checks with the service's own counters that requests to a route ended in every manner.
func (s *session) judgeRoute(ctx context.Context, route string) {
	counts := map[string]float64{}
	for _, outcome := range semconv.Outcomes() {
		n, err := s.requests(ctx, route, outcome)
		if err != nil {
			s.checks.Failf(sectionTraffic, route, "%s", err)
			return
		}
		counts[outcome] = n
	}
	var problems []error
	missing := func(outcome, advice string) {
		if counts[outcome] == 0 {
			problems = append(problems, fmt.Errorf("no request ended as %s%s", outcome, advice))
		}
	}
	advice := "; add a request that does to " + RequestFile
	if last := s.driver.problems[route]; last != "" {
		advice = "; it " + last + "; describe its parameters and body in the OpenAPI document, or add a valid request to " + RequestFile
	}
	missing(semconv.OutcomeSuccess, advice)
	missing(semconv.OutcomeServerError, ", although fault injection asked for it")
	if s.driver.wrong[route] {
		missing(semconv.OutcomeClientError, ", although an invalid request was sent: "+s.driver.problems[route])
	}
	s.checks.Record(sectionTraffic, route, fmt.Sprintf("%.0f succeeded, %.0f were rejected as invalid, %.0f failed and %.0f were shed by fault injection",
		counts[semconv.OutcomeSuccess], counts[semconv.OutcomeClientError], counts[semconv.OutcomeServerError], counts[semconv.OutcomeShed]), errors.Join(problems...))
}

// judgeUnimplemented checks that planned operations respond with status 501, as documented, and returns their routes. It sends
// each once, while the service is broken: alerts count status 501 as a failure.
func (s *session) judgeUnimplemented(ctx context.Context) []string {
	var routes []string
	c := caller{driver: s.driver, members: map[string]member{}}
	for _, op := range s.document.Operations {
		req, ok := c.request(context.WithoutCancel(ctx), op, well)
		if !op.IsUnimplemented() || !ok {
			continue
		}
		routes = append(routes, op.Key())
		status, _, body, err := c.send(req)
		switch {
		case err != nil:
			s.checks.Failf(sectionTraffic, op.Key(), "%s", err)
		case status != http.StatusNotImplemented:
			s.checks.Failf(sectionTraffic, op.Key(), "the OpenAPI document has only status 501, and the response has status %d: %s; document the responses of the route instead of 501", status, firstLine(body))
		default:
			s.checks.Add(report.Check{Section: sectionTraffic, Name: op.Key(), Status: report.Skipped, Detail: "not implemented: it responds with status 501, as documented; write the route, and document its responses instead of 501"})
		}
	}
	return routes
}

// requests returns how many requests to a route have ended with an outcome.
func (s *session) requests(ctx context.Context, route, outcome string) (float64, error) {
	method, pattern, _ := strings.Cut(route, " ")
	v, err := s.watch.query(ctx, fmt.Sprintf("sum(%s{%s=%q,%s=%q,%s=%q})", semconv.HTTPServerRequests,
		semconv.LabelMethod, method, semconv.LabelRoute, pattern, semconv.LabelOutcome, outcome))
	if err != nil {
		return 0, err
	}
	if len(v) == 0 {
		return 0, fmt.Errorf("the counter %s has no series for the route, so its first failure would not be counted", semconv.HTTPServerRequests)
	}
	return v[0].F, nil
}
