// Package report holds the results of scaffold verify, a [Check] for each thing
// that was checked, and writes them for terminals, pipelines and pull requests.
//
// A check that did not run counts as failed.
package report

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Status is the result of a check. The values are part of the JSON form.
type Status string

// Results of a check.
const (
	Passed Status = "passed"
	Failed Status = "failed"
	// NotRun is a check that was prevented, for example by an interrupt.
	NotRun Status = "not run"
	// Skipped was left out on request, or needs a store that verify does not run.
	Skipped Status = "skipped"
)

// Check is one check and its result.
type Check struct {
	// Section groups checks, as in "dashboards".
	Section string `json:"section"`
	// Name says what was checked, as in "panel Requests, target A".
	Name   string `json:"name"`
	Kind   Kind   `json:"kind,omitempty"`
	Status Status `json:"status"`
	// Detail is the evidence, or what is wrong and what to do about it.
	Detail string `json:"detail"`
	// File is what was checked, relative to the working directory; may be empty.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Failed reports whether the check makes the run fail.
func (c Check) Failed() bool { return c.Status == Failed || c.Status == NotRun }

// SimulatedAlert is what one alert did in one simulated incident.
type SimulatedAlert struct {
	Alert      string  `json:"alert"`
	Long       string  `json:"long"` // long window, which tells the alerts of one name apart
	Objective  string  `json:"objective"`
	ErrorRatio float64 `json:"errorRatio"` // bad events of all during the incident, 0 to 1
	Predicted  Timing  `json:"predicted"`
	Measured   Timing  `json:"measured"`
	// Tolerance is the accepted difference between the two, in seconds: one
	// evaluation of the alert.
	Tolerance float64 `json:"toleranceSeconds"`
	Passed    bool    `json:"passed"`
}

// Timing is when an alert fires, in seconds after the incident began, and when it
// resolves, in seconds after the incident ended.
type Timing struct {
	Fires    bool    `json:"fires"`
	After    float64 `json:"firesAfterSeconds,omitempty"`
	Resolves float64 `json:"resolvesAfterSeconds,omitempty"`
	// Unresolved is true if the alert still fired at the end of the simulation.
	Unresolved bool `json:"neverResolves,omitempty"`
}

// Cost is what the rules of one service read from the store.
type Cost struct {
	Series           int     `json:"series"` // counters in the measured store
	SamplesPerSecond float64 `json:"samplesPerSecond"`
	Objectives       int     `json:"objectives"`
	Limit            float64 `json:"limit"` // samples per second and objective
}

// PerObjective is the samples per second that the rules of one objective read.
func (c Cost) PerObjective() float64 { return c.SamplesPerSecond / float64(max(c.Objectives, 1)) }

// Report is the result of one run. Its JSON form is public.
type Report struct {
	Service         string           `json:"service"`
	Checks          []Check          `json:"checks"`
	Dashboards      *Dashboards      `json:"dashboards,omitempty"`
	SimulatedAlerts []SimulatedAlert `json:"simulatedAlerts,omitempty"`
	Cost            *Cost            `json:"cost,omitempty"`
	// Quick is true for a run with --quick; a skipped check lists what it left out.
	Quick bool `json:"quick,omitempty"`
	// Interrupted is true if the run was stopped; checks that it did not reach have
	// the status "not run".
	Interrupted bool `json:"interrupted,omitempty"`
	// Seconds is how long the run took, without building the service.
	Seconds float64 `json:"seconds"`
}

// Failures counts the failed checks.
func (r Report) Failures() int {
	n := 0
	for _, c := range r.Checks {
		if c.Failed() {
			n++
		}
	}
	return n
}

// Sections lists the sections in the order of their first check.
func (r Report) Sections() []string {
	var out []string
	for _, c := range r.Checks {
		if !slices.Contains(out, c.Section) {
			out = append(out, c.Section)
		}
	}
	return out
}

// Of lists the checks of one section.
func (r Report) Of(section string) []Check {
	var out []Check
	for _, c := range r.Checks {
		if c.Section == section {
			out = append(out, c)
		}
	}
	return out
}

// Recorder collects checks. It may be used concurrently.
type Recorder struct {
	mu     sync.Mutex
	report Report
	accept func(Check) bool // nil accepts all
}

// Filter makes the recorder drop checks for which accept returns false. Call it
// before the first check is added.
func (r *Recorder) Filter(accept func(Check) bool) { r.accept = accept }

// Add adds checks.
func (r *Recorder) Add(checks ...Check) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range checks {
		if r.accept == nil || r.accept(c) {
			r.report.Checks = append(r.report.Checks, c)
		}
	}
}

// Passf adds a passed check with its evidence.
func (r *Recorder) Passf(section, name, format string, args ...any) {
	r.Add(Check{Section: section, Name: name, Status: Passed, Detail: fmt.Sprintf(format, args...)})
}

// Failf adds a failed check with what is wrong.
func (r *Recorder) Failf(section, name, format string, args ...any) {
	r.Add(Check{Section: section, Name: name, Status: Failed, Detail: fmt.Sprintf(format, args...)})
}

// Record adds a check that passed with the evidence, or failed with the problem
// if it is not nil.
func (r *Recorder) Record(section, name, evidence string, problem error) {
	if problem != nil {
		r.Failf(section, name, "%s", problem)
		return
	}
	r.Passf(section, name, "%s", evidence)
}

// SetSimulation sets the results of the alert simulation, and the cost of the
// rules if it was measured.
func (r *Recorder) SetSimulation(alerts []SimulatedAlert, cost Cost) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.SimulatedAlerts = alerts
	if cost.Series > 0 {
		r.report.Cost = &cost
	}
}

// Report returns what was collected so far.
func (r *Recorder) Report(service string, took time.Duration) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.report
	out.Checks = append([]Check{}, out.Checks...) // never nil: a list in JSON
	out.Dashboards = dashboards(out.Checks)
	out.Service, out.Seconds = service, took.Round(10*time.Millisecond).Seconds()
	return out
}
