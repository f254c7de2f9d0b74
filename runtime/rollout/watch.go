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

// Verdict is what became of a new version.
type Verdict int

// The verdicts.
const (
	Unknown Verdict = iota // nobody can say
	Healthy                // enough events, and the budget bears them
	Burning                // it spends a budget as fast as a page allows
)

func (v Verdict) String() string {
	switch v {
	case Healthy:
		return "healthy"
	case Burning:
		return "burning"
	}
	return "unknown"
}

// MinEvents is how many events an objective needs until it can call a version
// healthy. A version that fails one request in ten shows the five bad events
// that a page wants in about so many.
const MinEvents = 50

// Asker evaluates a query; [Prometheus] is one.
type Asker interface {
	Number(ctx context.Context, query string) (n float64, warnings []string, err error)
}

// Clock tells the time and lets it go by.
type Clock interface {
	Now() time.Time
	// Wait returns after the time, or with the error of a context that ends.
	Wait(ctx context.Context, d time.Duration) error
}

// Watch judges one version in one environment.
type Watch struct {
	Gate        Gate
	Environment string
	Version     string
	For         time.Duration // from when it begins; the roll-out is over by then
	Every       time.Duration // from one look to the next
	MinEvents   float64       // below, nothing is healthy
	Ask         Asker
	Clock       Clock
	// Log is told of each look, a line each.
	Log io.Writer
}

// attempts is how often the last look is tried: it decides, and one answer that
// is lost on the way should not.
const attempts = 3

// Run watches until the time is over, or until it is plain that the version
// burns: above the threshold since the watch began, and also since the last
// look. A cold start that is over does not end a watch, and a failure that goes
// on costs users no longer than it must. The reason is a sentence for people.
func (w Watch) Run(ctx context.Context) (v Verdict, reason string) {
	if len(w.Gate.Objectives) == 0 {
		return Unknown, "no objective can judge a roll-out" + leftOut(w.Gate.LeftOut)
	}
	start := w.Clock.Now()
	var last look
	for {
		left := w.For - w.Clock.Now().Sub(start)
		if left <= 0 {
			break
		}
		if err := w.Clock.Wait(ctx, min(left, w.Every)); err != nil {
			return Unknown, "the watch was broken off: " + err.Error()
		}
		elapsed := w.Clock.Now().Sub(start)
		if elapsed >= w.For {
			break
		}
		now := w.look(ctx, elapsed)
		if now.hopeless {
			return Unknown, now.String()
		}
		w.logf("%s: %s", elapsed.Round(time.Second), now)
		if name := now.burnsOn(last); name != "" {
			return Burning, fmt.Sprintf("%s (%s)", now, name)
		}
		last = now
	}
	return w.decide(ctx, start)
}

// Probe says whether the questions of the watch can be answered at all, so that
// nothing is rolled out which nobody could judge.
func (w Watch) Probe(ctx context.Context) error {
	if len(w.Gate.Objectives) == 0 {
		return errors.New("no objective can judge a roll-out" + leftOut(w.Gate.LeftOut))
	}
	queries := []string{countProcesses}
	for _, o := range w.Gate.Objectives {
		queries = append(queries, o.Total, o.Bad, o.Good, o.Idle)
	}
	for _, q := range queries {
		if q == "" {
			continue
		}
		_, _, err := w.Ask.Number(ctx, w.Gate.fill(q, w.Environment, w.Version, w.For))
		if !isNoData(err) && err != nil {
			return err
		}
	}
	return nil
}

const countProcesses = "count($processes)"

func isNoData(err error) bool {
	_, empty := errors.AsType[*NoDataError](err)
	return empty
}

func leftOut(reasons []string) string {
	if len(reasons) == 0 {
		return ""
	}
	return ": " + strings.Join(reasons, "; ")
}

// decide takes the last look, and a few more while it fails.
func (w Watch) decide(ctx context.Context, start time.Time) (Verdict, string) {
	for attempt := 1; ; attempt++ {
		now := w.look(ctx, w.Clock.Now().Sub(start))
		if v := now.verdict(); v != Unknown || attempt == attempts || !now.failed {
			return v, now.String()
		}
		w.logf("%s; asked again", now)
		if err := w.Clock.Wait(ctx, w.Every); err != nil {
			return Unknown, "the watch was broken off: " + err.Error()
		}
	}
}

func (w Watch) logf(format string, args ...any) {
	fmt.Fprintf(w.Log, format+"\n", args...) //nolint:errcheck // nobody reads it then
}

// look is what was seen at one moment.
type look struct {
	processes float64
	seen      []seen
	// failed says that asking again may help, hopeless that it will not.
	failed, hopeless bool
	problem          string // why there is no answer
	partial          string // why it may not be all
}

// seen is one objective at one moment.
type seen struct {
	Objective
	total, bad float64
	min        float64 // events that it takes to be healthy
	missing    string  // why there are no numbers
}

func (w Watch) look(ctx context.Context, window time.Duration) look {
	var l look
	number := func(query string) (float64, error) {
		n, warnings, err := w.Ask.Number(ctx, w.Gate.fill(query, w.Environment, w.Version, window))
		if len(warnings) > 0 {
			l.partial = strings.Join(warnings, "; ")
		}
		if err == nil && (math.IsNaN(n) || math.IsInf(n, 0)) {
			err = fmt.Errorf("prometheus answers with %v to %s", n, query)
		}
		return n, err
	}
	var err error
	if l.processes, err = number(countProcesses); err != nil {
		l = l.without(err)
		if isNoData(err) {
			l.problem = fmt.Sprintf("no process of version %s was seen in %s: is it scraped, and is that the version that it was built with?", w.Version, w.Environment)
		}
		return l
	}
	for _, o := range w.Gate.Objectives {
		s := seen{Objective: o, min: w.MinEvents}
		if s.total, s.bad, err = o.counts(number); err != nil {
			if !isNoData(err) {
				return l.without(err)
			}
			s.missing = err.Error()
		}
		l.seen = append(l.seen, s)
	}
	return l
}

// counts asks for the events of the objective and for the bad ones of them.
func (o Objective) counts(number func(query string) (float64, error)) (total, bad float64, err error) {
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

// without notes why there is no answer.
func (l look) without(err error) look {
	_, l.hopeless = errors.AsType[*refusedError](err)
	l.failed, l.problem = !isNoData(err), err.Error()
	return l
}

// burns says whether the budget burns by these numbers.
func (o Objective) burns(total, bad float64) bool {
	return total > 0 && bad > 0 && bad/total > o.Threshold
}

func (s seen) burning() bool {
	// Counts may be estimates: what rounds to the number counts as the number.
	return s.missing == "" && s.burns(s.total, s.bad) && s.bad > s.MinBadEvents-0.5
}

// verdict judges by one look alone.
func (l look) verdict() Verdict {
	if l.problem != "" {
		return Unknown
	}
	enough, missing := false, false
	for _, s := range l.seen {
		if s.burning() {
			return Burning
		}
		enough = enough || s.missing == "" && s.total >= s.min
		missing = missing || s.missing != ""
	}
	// A part of the truth can tell that it is bad and never that it is good.
	if enough && !missing && l.partial == "" {
		return Healthy
	}
	return Unknown
}

// burnsOn names the objective that burns, and did so since the last look.
func (l look) burnsOn(last look) string {
	if l.problem != "" || last.problem != "" {
		return ""
	}
	for i, s := range l.seen {
		if !s.burning() || i >= len(last.seen) || last.seen[i].missing != "" {
			continue
		}
		if s.burns(s.total-last.seen[i].total, s.bad-last.seen[i].bad) {
			return s.Name + " goes on burning"
		}
	}
	return ""
}

func (l look) String() string {
	if l.problem != "" {
		return l.problem
	}
	parts := []string{fmt.Sprintf("%.0f processes", l.processes)}
	for _, s := range l.seen {
		parts = append(parts, s.String())
	}
	if l.partial != "" {
		parts = append(parts, "not all of it: "+l.partial)
	}
	return strings.Join(parts, "; ")
}

func (s seen) String() string {
	switch {
	case s.missing != "":
		return s.Name + ": " + s.missing
	case s.burning():
		return fmt.Sprintf("%s: %.0f of %.0f events bad, %.1f times what the objective of %s %% allows (limit %g)",
			s.Name, s.bad, s.total, s.bad/s.total/s.Threshold*s.Factor, s.Objective.Objective, s.Factor)
	case s.total < s.min:
		return fmt.Sprintf("%s: %.0f of %.0f events bad, too few to tell (%.0f)", s.Name, s.bad, s.total, s.min)
	}
	return fmt.Sprintf("%s: %.0f of %.0f events bad", s.Name, s.bad, s.total)
}
