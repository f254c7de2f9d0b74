package verify

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// badRatio is the ratio of bad requests in five minutes. In simulated time these are a few dozen requests, so that another
// way to count, such as the difference of the counts, may differ by several percent.
const badRatio = `sum(rate(` + semconv.HTTPServerRequests + `{outcome=~"server_error|shed",http_route!="unmatched"}[5m]))
	/ sum(rate(` + semconv.HTTPServerRequests + `{http_route!="unmatched"}[5m]))`

// alertsFiring counts the alerts that fire.
const alertsFiring = `count(ALERTS{alertstate="firing"}) or vector(0)`

// Series that tell which objectives a service has, and what fires. $slo is the objective that a dashboard shows.
const (
	sliBad         = "slo:sli_bad:increase1h"
	ofAvailability = sliBad + `{sli="` + slo.SLIRequests + `"}`
	ofLatency      = sliBad + `{sli="` + slo.SLILatency + `"}`
	ofRequests     = sliBad + `{sli=~"` + slo.SLIRequests + "|" + slo.SLILatency + `",slo="$slo"}`
	burnAlerts     = slo.RecordBurn
	pageFires      = `ALERTS{alertstate="firing",long="1h"}`
)

// exists reports whether an expression has a result.
func (s scene) exists(expr string) (bool, error) {
	expr = strings.ReplaceAll(expr, "$slo", strings.Join(s.picture.Variables()["slo"], "|"))
	found, err := s.session.watch.ev.Query(s.ctx, expr, s.at)
	return len(found) > 0, err
}

// redWhile requires red while an expression has a result.
func redWhile(expr string) colors {
	return func(s scene) (string, error) {
		if red, err := s.exists(expr); err != nil || !red {
			return "", err
		}
		return "red", nil
	}
}

// colors returns the color that values must have at the time of a scene, or "" for any.
type colors func(scene) (string, error)

func always(color string) colors { return func(scene) (string, error) { return color, nil } }

// greenBelow requires green as long as a value is below a bound: a busy machine makes a healthy service slow.
func greenBelow(value func(scene) (float64, error), bound float64) colors {
	return func(s scene) (string, error) {
		exact, err := value(s)
		if err != nil || exact >= bound {
			return "", err
		}
		return "green", nil
	}
}

// shortInGreen requires green for a quarter of what is too slow for every objective.
func shortInGreen(s scene) (string, error) {
	const p99 = "histogram_quantile(0.99, sum by (le) (rate(" + semconv.HTTPServerRequestDuration + "_bucket{outcome=\"success\"}[5m])))"
	const quarter = 4
	return greenBelow(truth(p99), s.session.subject.Slow.Seconds()/quarter)(s)
}

// truth returns the value of an expression at the time of a scene.
func truth(expr string) func(scene) (float64, error) {
	return func(s scene) (float64, error) {
		found, err := s.session.watch.ev.Query(s.ctx, expr, s.at)
		if err != nil || len(found) == 0 {
			return 0, err
		}
		return found[0].F, nil
	}
}

// number parses a value as it is drawn.
func number(text string) (float64, error) {
	end := strings.LastIndexAny(text, "0123456789") + 1
	v, err := strconv.ParseFloat(strings.ReplaceAll(text[:end], ",", ""), 64)
	if err != nil {
		return 0, fmt.Errorf("it shows %q, want a number", text)
	}
	return v, nil
}

// value checks that the value of a panel is the true one within a tolerance, and its color.
func value(color colors, want func(scene) (float64, error), scale, tolerance float64) func(scene, render.Shown) error {
	return func(s scene, shown render.Shown) error {
		exact, err := want(s)
		if err != nil {
			return err
		}
		texts := shown.Of("value")
		if len(texts) != 1 {
			return fmt.Errorf("it shows %d values, want one", len(texts))
		}
		got, err := number(texts[0].Text)
		if err != nil {
			return err
		}
		if math.Abs(got-scale*exact) > tolerance {
			return fmt.Errorf("it shows %s, want %.4g", texts[0].Text, scale*exact)
		}
		return colored(color)(s, shown)
	}
}

// colored checks the color of all values.
func colored(want colors) func(scene, render.Shown) error {
	return func(s scene, shown render.Shown) error {
		color, err := want(s)
		if err != nil {
			return err
		}
		texts := shown.Of("value")
		for _, t := range texts {
			if color != "" && t.Color != color {
				return fmt.Errorf("%s is %s, want %s", t.Text, t.Color, color)
			}
		}
		if len(texts) == 0 {
			return errors.New("it shows no value")
		}
		return nil
	}
}

func reads(text string, color colors) func(scene, render.Shown) error {
	return func(s scene, shown render.Shown) error {
		if texts := shown.Of("value"); len(texts) != 1 || texts[0].Text != text {
			return fmt.Errorf("it shows %v, want %q", texts, text)
		}
		return colored(color)(s, shown)
	}
}

// sensibleAxis checks that a graph of zeros is not on Grafana's axis for zeros, to 100 (10,000 %).
func sensibleAxis(s scene, shown render.Shown) error {
	for _, a := range shown.Axes {
		if a.High > 1 {
			return fmt.Errorf("the axis ends at %.0f %%", 100*a.High)
		}
	}
	return linesOnAxis(s, shown)
}

// linesOnAxis checks that the thresholds are visible.
func linesOnAxis(_ scene, shown render.Shown) error {
	lines := 0
	for _, a := range shown.Axes {
		for _, line := range a.Lines {
			lines++
			if line > a.High || line < a.Low {
				return fmt.Errorf("the line at %g is not on the axis from %g to %g", line, a.Low, a.High)
			}
		}
	}
	if lines == 0 {
		return errors.New("no threshold is drawn")
	}
	return nil
}

// lineOnAxis checks that a threshold is visible. A logarithmic axis follows the data, so that higher ones may not be.
func lineOnAxis(_ scene, shown render.Shown) error {
	for _, a := range shown.Axes {
		if slices.ContainsFunc(a.Lines, func(line float64) bool { return line >= a.Low && line <= a.High }) {
			return nil
		}
	}
	return errors.New("no threshold is on the axis")
}

func allHealthy(_ scene, shown render.Shown) error {
	if slices.Contains(shown.Fills, "red") || len(shown.Series) > 0 && !slices.Contains(shown.Fills, "green") {
		return fmt.Errorf("its colors are %v", shown.Fills)
	}
	return nil
}

func namesInstance(s scene, shown render.Shown) error {
	instance := strings.TrimPrefix(s.session.childAt(s.at).admin, "http://")
	if len(shown.Rows) == 0 {
		return errors.New("it has no rows")
	}
	for _, row := range shown.Rows {
		if len(row) < 2 || row[1].Text != instance {
			return fmt.Errorf("%v does not name the instance %s", row, instance)
		}
	}
	return nil
}

func namesAlerts(s scene, shown render.Shown) error {
	found, err := s.session.watch.ev.Query(s.ctx, `count by (alertname) (ALERTS{alertstate="firing"})`, s.at)
	if err != nil {
		return err
	}
	for _, v := range found {
		name := v.Metric.Get("alertname")
		if !slices.Contains(shown.Series, name) {
			return fmt.Errorf("%s fires, but the list has %v", name, shown.Series)
		}
	}
	return nil
}

func bothOutcomes(_ scene, shown render.Shown) error {
	return series(shown, map[string]string{semconv.OutcomeServerError: "red", semconv.OutcomeShed: "orange"})
}

func successAndFailure(_ scene, shown render.Shown) error {
	return series(shown, map[string]string{semconv.OutcomeSuccess: "green", semconv.OutcomeServerError: "red", semconv.OutcomeShed: "orange"})
}

// series checks that the legend has names, and that their colors are drawn.
func series(shown render.Shown, colors map[string]string) error {
	for name, color := range colors {
		if !slices.Contains(shown.Series, name) {
			return fmt.Errorf("it has no series %s but %v", name, shown.Series)
		}
		if !slices.Contains(shown.Fills, color) {
			return fmt.Errorf("%s is not %s: the colors are %v", name, color, shown.Fills)
		}
	}
	return nil
}

// firingWindows compares the states of the alert windows with the alerts.
func firingWindows(s scene, shown render.Shown) error {
	list := shown.Rows
	if len(list) == 0 {
		return errors.New("it lists no alert")
	}
	objective := strings.Join(s.picture.Variables()["slo"], ",")
	for _, row := range list {
		found, err := s.session.watch.ev.Query(s.ctx, fmt.Sprintf(`ALERTS{alertstate="firing",slo=%q,severity=%q,long=%q}`, objective, row[0].Text, row[1].Text), s.at)
		if err != nil {
			return err
		}
		want := render.Text{Class: "cell", Text: "ok", Color: "green"}
		if len(found) > 0 {
			want.Text, want.Color = "firing", "red"
		}
		if got := row[len(row)-1]; got != want {
			return fmt.Errorf("%s %s is %s in %s, want %s in %s", row[0].Text, row[1].Text, got.Text, got.Color, want.Text, want.Color)
		}
	}
	return nil
}

func spentByRoute(_ scene, shown render.Shown) error { return spent(shown, "/") }

func spentByVersion(s scene, shown render.Shown) error {
	found, err := s.session.watch.ev.Query(s.ctx, semconv.BuildInfo, s.at)
	if err != nil || len(found) == 0 {
		return errors.Join(errors.New("there is no "+semconv.BuildInfo), err)
	}
	return spent(shown, found[0].Metric.Get("version"))
}

// bothVersions checks that the version before a deployment and the one after it have a line.
func bothVersions(s scene, shown render.Shown) error {
	before, err := s.session.watch.ev.Query(s.ctx, semconv.BuildInfo, s.session.deployed.at)
	if err != nil || len(before) == 0 {
		return errors.Join(errors.New("there is no "+semconv.BuildInfo), err)
	}
	for _, version := range []string{before[0].Metric.Get("version"), deployedVersion} {
		if !slices.Contains(shown.Series, version) {
			return fmt.Errorf("it has no series %s but %v", version, shown.Series)
		}
	}
	return nil
}

// spent checks that the first row names something and has spent budget.
func spent(shown render.Shown, name string) error {
	list := shown.Rows
	if len(list) == 0 || len(list[0]) < 2 || !strings.Contains(list[0][0].Text, name) {
		return fmt.Errorf("it shows %v, want %s first", list, name)
	}
	if part, err := number(list[0][1].Text); err != nil || part <= 0 {
		return fmt.Errorf("%s has spent %s", list[0][0].Text, list[0][1].Text)
	}
	return nil
}
