package rollout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// Result is the result of a rollout analysis.
type Result int

// The results.
const (
	Inconclusive Result = iota // too few events, or no data
	Passed                     // enough events, within the error budget
	Failed                     // the error budget burns as fast as a page allows
)

func (r Result) String() string {
	switch r {
	case Passed:
		return "passed"
	case Failed:
		return "failed"
	}
	return "inconclusive"
}

// MinRequests is the default number of events that an objective needs to pass. A version that
// fails one request in ten has the five bad events that a page needs in about as many.
const MinRequests = 50

// Querier evaluates a query; [Prometheus] is one.
type Querier interface {
	Number(ctx context.Context, query string) (n float64, warnings []string, err error)
}

// Clock is a clock for tests.
type Clock interface {
	Now() time.Time
	// Wait returns after d, or with an error if the context ends.
	Wait(ctx context.Context, d time.Duration) error
}

// Runner analyzes a version in an environment, or in a part of it.
type Runner struct {
	Analysis    Analysis
	Environment string
	Version     string
	Labels      map[string]string // a value for each of Analysis.Labels
	Duration    time.Duration     // of the analysis, which begins when the rollout is complete
	Interval    time.Duration     // between two evaluations
	MinRequests float64           // minimum number of events of an objective to pass
	Querier     Querier
	Clock       Clock
	// Log receives a line for each evaluation.
	Log io.Writer
}

// attempts is the maximum number of attempts of the last evaluation, which decides.
const attempts = 3

// Run analyzes for the whole duration, or until the version clearly fails: above the threshold
// since the analysis began, and also since the last evaluation. So a cold start does not end the
// analysis, and a lasting failure ends it early. reason is a sentence for people.
func (r Runner) Run(ctx context.Context) (result Result, reason string) {
	if len(r.Analysis.Objectives) == 0 {
		return Inconclusive, r.noObjective()
	}
	start := r.Clock.Now()
	var last evaluation
	for {
		left := r.Duration - r.Clock.Now().Sub(start)
		if left <= 0 {
			break
		}
		if err := r.Clock.Wait(ctx, min(left, r.Interval)); err != nil {
			return Inconclusive, interrupted(err)
		}
		elapsed := r.Clock.Now().Sub(start)
		if elapsed >= r.Duration {
			break
		}
		now := r.evaluate(ctx, elapsed)
		if now.permanent {
			return Inconclusive, now.String()
		}
		r.logf("%s: %s", elapsed.Round(time.Second), now)
		if name := now.keepsFailing(last); name != "" {
			return Failed, fmt.Sprintf("%s (%s keeps failing)", now, name)
		}
		last = now
	}
	return r.decide(ctx, start)
}

// Check runs every query once and returns the first error. Call it before a rollout; it accepts
// queries without data.
func (r Runner) Check(ctx context.Context) error {
	if len(r.Analysis.Objectives) == 0 {
		return errors.New(r.noObjective())
	}
	queries := []string{countInstances}
	for _, o := range r.Analysis.Objectives {
		queries = append(queries, o.Total, o.Bad, o.Good, o.Idle)
	}
	for _, q := range queries {
		if q == "" {
			continue
		}
		_, _, err := r.Querier.Number(ctx, r.fill(q, r.Duration))
		if !isNoData(err) && err != nil {
			return err
		}
	}
	return nil
}

const countInstances = "count($instances)"

func isNoData(err error) bool {
	_, empty := errors.AsType[*NoDataError](err)
	return empty
}

func interrupted(err error) string { return "interrupted: " + err.Error() }

func (r Runner) noObjective() string {
	const reason = "no objective can be analyzed"
	if len(r.Analysis.Skipped) == 0 {
		return reason
	}
	return reason + ": " + strings.Join(r.Analysis.Skipped, "; ")
}

// decide makes the last evaluation, and retries while it fails.
func (r Runner) decide(ctx context.Context, start time.Time) (Result, string) {
	for attempt := 1; ; attempt++ {
		now := r.evaluate(ctx, r.Clock.Now().Sub(start))
		if result := now.result(); result != Inconclusive || attempt == attempts || !now.temporary {
			return result, now.String()
		}
		r.logf("%s; retrying", now)
		if err := r.Clock.Wait(ctx, r.Interval); err != nil {
			return Inconclusive, interrupted(err)
		}
	}
}

func (r Runner) logf(format string, args ...any) {
	fmt.Fprintf(r.Log, format+"\n", args...) //nolint:errcheck // a closed log does not change the result
}

type evaluation struct {
	instances  float64
	objectives []counts
	// temporary means that a retry may help, permanent that it does not.
	temporary, permanent bool
	problem              string // why there is no result
	incomplete           string // why the result may be incomplete
}

// counts are the events of an objective at one time.
type counts struct {
	Objective
	total, bad float64
	min        float64 // events needed to pass
	missing    string  // why there are no numbers
}

func (r Runner) evaluate(ctx context.Context, window time.Duration) evaluation {
	var e evaluation
	number := func(query string) (float64, error) {
		n, warnings, err := r.Querier.Number(ctx, r.fill(query, window))
		if len(warnings) > 0 {
			e.incomplete = strings.Join(warnings, "; ")
		}
		if err == nil && (math.IsNaN(n) || math.IsInf(n, 0)) {
			err = fmt.Errorf("prometheus returned %v for %s", n, query)
		}
		return n, err
	}
	var err error
	if e.instances, err = number(countInstances); err != nil {
		e = e.without(err)
		if isNoData(err) {
			e.problem = fmt.Sprintf("no instance of version %s found in %s; check that it is scraped and that the binary has this version", r.Version, r.Environment)
		}
		return e
	}
	for _, o := range r.Analysis.Objectives {
		c := counts{Objective: o, min: r.MinRequests}
		if c.total, c.bad, err = o.count(number); err != nil {
			if !isNoData(err) {
				return e.without(err)
			}
			c.missing = err.Error()
		}
		e.objectives = append(e.objectives, c)
	}
	return e
}

// count queries the events of the objective and the bad ones among them.
func (o Objective) count(number func(query string) (float64, error)) (total, bad float64, err error) {
	total, err = number(o.Total)
	if isNoData(err) && o.Idle != "" {
		_, err = number(o.Idle)
		return 0, 0, err
	}
	if err != nil {
		return 0, 0, err
	}
	if o.Bad != "" {
		bad, err = number(o.Bad)
		return total, bad, err
	}
	good, err := number(o.Good)
	return total, max(0, total-good), err
}

// without records why there is no result.
func (e evaluation) without(err error) evaluation {
	_, e.permanent = errors.AsType[*rejectedError](err)
	e.temporary, e.problem = !isNoData(err), err.Error()
	return e
}

// exceeded reports whether the ratio of bad events exceeds the threshold.
func (o Objective) exceeded(total, bad float64) bool {
	return total > 0 && bad > 0 && bad/total > o.Threshold
}

func (c counts) failed() bool {
	// Counts may be estimates: values that round to the number count as the number.
	return c.missing == "" && c.exceeded(c.total, c.bad) && c.bad > c.MinBadEvents-0.5
}

// result returns the result of this evaluation alone.
func (e evaluation) result() Result {
	if e.problem != "" {
		return Inconclusive
	}
	enough, missing := false, false
	for _, c := range e.objectives {
		if c.failed() {
			return Failed
		}
		enough = enough || c.missing == "" && c.total >= c.min
		missing = missing || c.missing != ""
	}
	// An incomplete result can fail but not pass.
	if enough && !missing && e.incomplete == "" {
		return Passed
	}
	return Inconclusive
}

// keepsFailing returns an objective that has failed since the start and since the last
// evaluation.
func (e evaluation) keepsFailing(last evaluation) string {
	if e.problem != "" || last.problem != "" {
		return ""
	}
	for i, c := range e.objectives {
		if !c.failed() || i >= len(last.objectives) || last.objectives[i].missing != "" {
			continue
		}
		if c.exceeded(c.total-last.objectives[i].total, c.bad-last.objectives[i].bad) {
			return c.Name
		}
	}
	return ""
}

func (e evaluation) idle() bool {
	for _, c := range e.objectives {
		if c.total > 0 || c.missing != "" {
			return false
		}
	}
	return true
}

func (e evaluation) String() string {
	if e.problem != "" {
		return e.problem
	}
	parts := []string{fmt.Sprintf("%.0f instances", e.instances)}
	if e.idle() {
		parts[0] = fmt.Sprintf("no requests reached the new version (%s)", parts[0])
	} else {
		for _, c := range e.objectives {
			parts = append(parts, c.String())
		}
	}
	if e.incomplete != "" {
		parts = append(parts, "incomplete result: "+e.incomplete)
	}
	return strings.Join(parts, "; ")
}

func (c counts) String() string {
	switch {
	case c.missing != "":
		return c.Name + ": " + c.missing
	case c.failed():
		return fmt.Sprintf("%s: %.0f of %.0f events bad, %.1f times what the objective of %s %% allows (limit %g)",
			c.Name, c.bad, c.total, c.bad/c.total/c.Threshold*c.Factor, c.Objective.Objective, c.Factor)
	case c.total < c.min:
		return fmt.Sprintf("%s: %.0f of %.0f events bad, fewer than %.0f events", c.Name, c.bad, c.total, c.min)
	}
	return fmt.Sprintf("%s: %.0f of %.0f events bad", c.Name, c.bad, c.total)
}
