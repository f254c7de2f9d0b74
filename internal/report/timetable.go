package report

import (
	"fmt"
	"math"
	"slices"
)

// timetable is the simulation by alert with its long window, and by error ratio.
type timetable struct {
	alerts []string
	ratios []float64
	rows   map[string]map[float64]SimulatedAlert
}

func (r Report) timetable() timetable {
	t := timetable{rows: map[string]map[float64]SimulatedAlert{}}
	for _, row := range r.SimulatedAlerts {
		alert := row.Alert + " " + row.Long
		if t.rows[alert] == nil {
			t.rows[alert] = map[float64]SimulatedAlert{}
			t.alerts = append(t.alerts, alert)
		}
		if !slices.Contains(t.ratios, row.ErrorRatio) {
			t.ratios = append(t.ratios, row.ErrorRatio)
		}
		t.rows[alert][row.ErrorRatio] = row
	}
	slices.Sort(t.ratios)
	slices.SortStableFunc(t.alerts, func(a, b string) int { // grouped by objective
		return slices.IndexFunc(r.SimulatedAlerts, ofObjective(t.objective(a))) - slices.IndexFunc(r.SimulatedAlerts, ofObjective(t.objective(b)))
	})
	return t
}

func ofObjective(name string) func(SimulatedAlert) bool {
	return func(a SimulatedAlert) bool { return a.Objective == name }
}

func (t timetable) objective(alert string) string {
	for _, row := range t.rows[alert] {
		return row.Objective
	}
	return ""
}

// The two halves of a timetable.
const (
	fires    = "fires"
	resolves = "resolves"
)

// cell is one time of an alert, followed by the predicted one if that is wanted or
// differs too much. It is a dash for an alert that does not fire, as predicted.
func (t timetable) cell(half, alert string, ratio float64, predicted bool) (text string, failed bool) {
	row, ok := t.rows[alert][ratio]
	if !ok {
		return "", false
	}
	got, want := row.Measured.at(half), row.Predicted.at(half)
	switch {
	case !row.Measured.Fires && !row.Predicted.Fires:
		return "-", false
	case !row.inTime(half):
		return got + ", not " + want, true
	case predicted:
		return got + " (" + want + ")", false
	}
	return got, false
}

func (t Timing) at(half string) string {
	switch {
	case !t.Fires, half == resolves && t.Unresolved:
		return "never"
	case half == fires:
		return short(t.After)
	}
	return short(t.Resolves)
}

// inTime reports whether one time is within the tolerance of the predicted one.
func (a SimulatedAlert) inTime(half string) bool {
	if a.Measured.at(half) == "never" || !a.Predicted.Fires {
		return false
	}
	off := a.Measured.After - a.Predicted.After
	if half == resolves {
		off = a.Measured.Resolves - a.Predicted.Resolves
	}
	return a.Passed || math.Abs(off) <= a.Tolerance
}

// largestDifference is the largest difference between a passed alert and its
// prediction, in tolerances.
func (r Report) largestDifference() float64 {
	largest := 0.0
	for _, a := range r.SimulatedAlerts {
		if a.Passed && a.Measured.Fires && a.Tolerance > 0 {
			off := max(math.Abs(a.Measured.After-a.Predicted.After), math.Abs(a.Measured.Resolves-a.Predicted.Resolves))
			largest = max(largest, off/a.Tolerance)
		}
	}
	return largest
}

func percent(ratio float64) string { return fmt.Sprintf("%.4g %%", ratio*100) }
