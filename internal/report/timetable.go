package report

import (
	"fmt"
	"math"
	"slices"
)

// timetable is the drill by alert with its long window and share of bad events: what one incident of
// each kind does to each alert.
type timetable struct {
	alerts []string
	shares []float64
	rows   map[string]map[float64]Row
}

func (r Report) timetable() timetable {
	t := timetable{rows: map[string]map[float64]Row{}}
	for _, row := range r.Drill {
		alert := row.Alert + " " + row.Long
		if t.rows[alert] == nil {
			t.rows[alert] = map[float64]Row{}
			t.alerts = append(t.alerts, alert)
		}
		if !slices.Contains(t.shares, row.ErrorShare) {
			t.shares = append(t.shares, row.ErrorShare)
		}
		t.rows[alert][row.ErrorShare] = row
	}
	slices.Sort(t.shares)
	slices.SortStableFunc(t.alerts, func(a, b string) int { // objectives one after the other
		return slices.IndexFunc(r.Drill, ofObjective(t.objective(a))) - slices.IndexFunc(r.Drill, ofObjective(t.objective(b)))
	})
	return t
}

func ofObjective(name string) func(Row) bool {
	return func(r Row) bool { return r.Objective == name }
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

// cell is one moment of an alert, with the predicted one where it is wanted or
// where the alert did not keep to it. Silence that was predicted is a dash.
func (t timetable) cell(half, alert string, share float64, predicted bool) string {
	row, ok := t.rows[alert][share]
	if !ok {
		return ""
	}
	got, want := row.Measured.at(half), row.Predicted.at(half)
	if !row.Measured.Fires && !row.Predicted.Fires {
		return "-"
	}
	if !row.inTime(half) {
		return got + ", not " + want
	}
	if predicted {
		return got + " (" + want + ")"
	}
	return got
}

func (m Moment) at(half string) string {
	switch {
	case !m.Fires, half == resolves && m.Unresolved:
		return "never"
	case half == fires:
		return short(m.After)
	}
	return short(m.Resolves)
}

// inTime says whether one moment is as near the predicted one as it has to be.
func (r Row) inTime(half string) bool {
	if r.Measured.at(half) == "never" || !r.Predicted.Fires {
		return false
	}
	off := r.Measured.After - r.Predicted.After
	if half == resolves {
		off = r.Measured.Resolves - r.Predicted.Resolves
	}
	return r.Holds || math.Abs(off) <= r.Slack
}

// farthest is how far from the predicted moments those alerts come that hold, as
// a share of what they may.
func (r Report) farthest() float64 {
	share := 0.0
	for _, row := range r.Drill {
		if row.Holds && row.Measured.Fires && row.Slack > 0 {
			off := max(math.Abs(row.Measured.After-row.Predicted.After), math.Abs(row.Measured.Resolves-row.Predicted.Resolves))
			share = max(share, off/row.Slack)
		}
	}
	return share
}

func percent(share float64) string { return fmt.Sprintf("%.4g %%", share*100) }
