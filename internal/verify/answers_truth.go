package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// objectives returns the remaining budget of each SLO.
func (s *session) objectives(ctx context.Context, at time.Time) (map[string]float64, error) {
	out := map[string]float64{}
	found, err := s.watch.ev.Query(ctx, "min by (slo) ("+slo.RecordRemaining+")", at)
	for _, v := range found {
		out[v.Metric.Get("slo")] = v.F
	}
	return out, err
}

func remainingBudgets(s scene, shown render.Shown) error {
	want, err := s.session.objectives(s.ctx, s.at)
	if err != nil {
		return err
	}
	values := shown.Of("value")
	names := shown.Of("name")
	if len(values) != len(want) {
		return fmt.Errorf("it shows %d budgets, but there are %d SLOs", len(values), len(want))
	}
	for i, t := range values {
		name := slices.Collect(maps.Keys(want))[0] // a single value has no name
		if len(names) == len(values) {
			name = names[i].Text
		}
		if err := s.budget(t, name, want[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// trueBudget returns the bounds of the remaining budget of an objective. If clients see its events, they are
// those of the responses; the rules record up to recordedWithin later. Clients do not see durations as the service measures them, nor events other than
// requests: the bounds of other objectives are what is recorded.
func (s scene) trueBudget(name string, recorded float64) (low, high float64) {
	const recordedWithin = 5 * time.Minute
	o, ok := s.session.subject.Counted[name]
	if !ok {
		return recorded, recorded
	}
	of := func(route string) bool {
		method, pattern, _ := strings.Cut(route, " ")
		return (o.Method == "" || o.Method == method) && (o.Route == "" || o.Route == pattern)
	}
	least, most := s.session.driver.seen.ratio(of, s.at.Add(-recordedWithin), s.at)
	if least > most {
		return recorded, recorded // no response
	}
	const tolerance = .02 // responses that the service and the client see differently
	return 1 - (1+tolerance)*most/o.Budget, 1 - (1-tolerance)*least/o.Budget
}

// budget checks the remaining budget of an objective, and its color.
func (s scene) budget(t render.Text, name string, recorded float64) error {
	got, err := number(t.Text)
	if err != nil {
		return err
	}
	low, high := s.trueBudget(name, recorded)
	const rounded = .1
	if got < 100*low-rounded || got > 100*high+rounded {
		return fmt.Errorf("it shows %s, want %.1f to %.1f %%", t.Text, 100*low, 100*high)
	}
	if t.Color != colorOfBudget(low) && t.Color != colorOfBudget(high) {
		return fmt.Errorf("it shows %s in %s, want %s", t.Text, t.Color, colorOfBudget(low))
	}
	return nil
}

func colorOfBudget(remaining float64) string {
	switch {
	case remaining < 0:
		return "red"
	case remaining < .25:
		return "orange"
	}
	return "green"
}

func listsObjectives(s scene, shown render.Shown) error {
	want, err := s.session.objectives(s.ctx, s.at)
	if err != nil {
		return err
	}
	for _, row := range shown.Rows {
		const columns = 4 // up to the remaining budget
		if len(row) < columns {
			return fmt.Errorf("a row has %d columns, want at least %d", len(row), columns)
		}
		exact, known := want[row[0].Text]
		if !known { // it has no data yet
			continue
		}
		if err := s.budget(row[3], row[0].Text, exact); err != nil {
			return fmt.Errorf("%s: %w", row[0].Text, err)
		}
		delete(want, row[0].Text)
	}
	if len(want) > 0 {
		return fmt.Errorf("it does not list %v", want)
	}
	return nil
}

// worstRoute checks the first row of the routes.
func worstRoute(s scene, shown render.Shown) error {
	const bad = `sum by (http_request_method, http_route) (increase(` + semconv.HTTPServerRequests + `{outcome=~"server_error|shed",http_route!="unmatched"}[5m]))`
	found, err := s.session.watch.ev.Query(s.ctx, "topk(1, "+bad+") / scalar(sum("+bad+"))", s.at)
	list := shown.Rows
	if err != nil || len(found) == 0 || len(list) == 0 || len(list[0]) < 6 {
		return errors.Join(errors.New("it shows no routes"), err)
	}
	part, err := number(list[0][5].Text)
	if err != nil {
		return err
	}
	for _, row := range list[1:] {
		if other, err := number(row[5].Text); err == nil && other > part {
			return fmt.Errorf("%s %s has %s of all bad requests and is below %s %s with %s", row[0].Text, row[1].Text, row[5].Text, list[0][0].Text, list[0][1].Text, list[0][5].Text)
		}
	}
	if err := s.failsMost(list[0][0].Text + " " + list[0][1].Text); err != nil {
		return err
	}
	if exact := 100 * found[0].F; math.Abs(part-exact) > 1 {
		return fmt.Errorf("the first route has %s of all bad requests, but the worst one, %s, has %.1f %%", list[0][5].Text, found[0].Metric, exact)
	}
	if ratio, err := number(list[0][3].Text); err != nil || ratio <= 0 || list[0][3].Color != "red" && list[0][3].Color != "orange" {
		return fmt.Errorf("the error ratio of the worst route is %s in %s", list[0][3].Text, list[0][3].Color)
	}
	return nil
}

// failsMost checks that no route failed much more for its clients than a route. The table and the clients
// may disagree about a few responses at the ends of the five minutes.
func (s scene) failsMost(route string) error {
	const few, part = 3, .25
	failures := s.session.driver.seen.failures(s.at.Add(-5*time.Minute), s.at)
	for other, n := range failures {
		if float64(n-failures[route]) > few+part*float64(n) {
			return fmt.Errorf("the first route is %s, of which clients saw %d failures, but they saw %d of %s", route, failures[route], n, other)
		}
	}
	return nil
}
