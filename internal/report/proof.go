// Package report is what a run of scaffold verify has shown: one [Proof] for each
// claim, collected in a [Report] that people, pipelines and pull requests read.
//
// A proof holds, fails, or was not run. What was not run counts as a failure:
// nothing passes because nobody looked. What cannot be looked at here, such as a
// query of a store that is not ours, is foreign, and reports say so.
package report

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Status is how a proof ended. The values are public: reports hold them.
type Status string

// The ways in which a proof ends.
const (
	Holds   Status = "holds"
	Fails   Status = "fails"
	NotRun  Status = "not run"
	Foreign Status = "foreign"
	// Skipped was not asked for.
	Skipped Status = "skipped"
)

// Proof is one claim and what became of it.
type Proof struct {
	// Section groups proofs in the order in which they are made, as in "dashboards".
	Section string `json:"section"`
	// Claim names what was proven, as in "panel Requests, target A".
	Claim  string `json:"claim"`
	Status Status `json:"status"`
	// Detail is the evidence, or what is wrong and what to do about it.
	Detail string `json:"detail"`
	// File is where the claim stands, as the user would name it; may be empty.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Failed says whether the proof keeps the whole from passing.
func (p Proof) Failed() bool { return p.Status == Fails || p.Status == NotRun }

// Row is one alert of the drill at one share of bad events.
type Row struct {
	Alert      string  `json:"alert"`
	Long       string  `json:"long"` // window that tells the alerts of one name apart
	Objective  string  `json:"objective"`
	ErrorShare float64 `json:"errorShare"` // 0 to 1
	// Predicted says whether the alert should fire, and if so how long after the
	// incident began, and how long after it ended it should resolve.
	Predicted Moment `json:"predicted"`
	Measured  Moment `json:"measured"`
	// Slack is how far from the predicted moment is in time, in seconds: one
	// evaluation of the alert.
	Slack float64 `json:"slackSeconds"`
	Holds bool    `json:"holds"`
}

// Moment is when an alert fires and resolves, in seconds after the incident
// began and ended.
type Moment struct {
	Fires    bool    `json:"fires"`
	After    float64 `json:"firesAfterSeconds,omitempty"`
	Resolves float64 `json:"resolvesAfterSeconds,omitempty"`
	// Unresolved says that it still fired when the drill ended.
	Unresolved bool `json:"neverResolves,omitempty"`
}

// Cost is what the rules of one service read from the store.
type Cost struct {
	Series           int     `json:"series"` // counters that the rules were measured on
	SamplesPerSecond float64 `json:"samplesPerSecond"`
	Objectives       int     `json:"objectives"`
	Limit            float64 `json:"limit"` // samples a second for each objective
}

// PerObjective is what one objective costs.
func (c Cost) PerObjective() float64 { return c.SamplesPerSecond / float64(max(c.Objectives, 1)) }

// Report is everything that one run has shown. Its JSON form is public.
type Report struct {
	Service string  `json:"service"`
	Proofs  []Proof `json:"proofs"`
	Drill   []Row   `json:"drill,omitempty"`
	Cost    *Cost   `json:"cost,omitempty"`
	// Quick says that a part was left out on purpose, which is listed as skipped.
	Quick bool `json:"quick,omitempty"`
	// Interrupted says that the run was stopped; what it did not get to is listed
	// as not run.
	Interrupted bool `json:"interrupted,omitempty"`
	// Seconds is how long the run took, without building the service.
	Seconds float64 `json:"seconds"`
}

// Failures counts what does not hold.
func (r Report) Failures() int {
	n := 0
	for _, p := range r.Proofs {
		if p.Failed() {
			n++
		}
	}
	return n
}

// Sections lists the sections in the order of their first proof.
func (r Report) Sections() []string {
	var out []string
	for _, p := range r.Proofs {
		if !slices.Contains(out, p.Section) {
			out = append(out, p.Section)
		}
	}
	return out
}

// Of lists the proofs of one section.
func (r Report) Of(section string) []Proof {
	var out []Proof
	for _, p := range r.Proofs {
		if p.Section == section {
			out = append(out, p)
		}
	}
	return out
}

// Book collects proofs. It may be used concurrently.
type Book struct {
	mu     sync.Mutex
	report Report
	accept func(Proof) bool // nil accepts all
}

// Accept makes the book drop proofs that the function does not accept.
func (b *Book) Accept(accept func(Proof) bool) { b.accept = accept }

// Add writes proofs down.
func (b *Book) Add(proofs ...Proof) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range proofs {
		if b.accept == nil || b.accept(p) {
			b.report.Proofs = append(b.report.Proofs, p)
		}
	}
}

// Holdf writes down a claim that holds.
func (b *Book) Holdf(section, claim, format string, args ...any) {
	b.Add(Proof{Section: section, Claim: claim, Status: Holds, Detail: fmt.Sprintf(format, args...)})
}

// Failf writes down a claim that does not.
func (b *Book) Failf(section, claim, format string, args ...any) {
	b.Add(Proof{Section: section, Claim: claim, Status: Fails, Detail: fmt.Sprintf(format, args...)})
}

// Judge writes down a claim by whether there is a problem with it.
func (b *Book) Judge(section, claim, evidence string, problem error) {
	if problem != nil {
		b.Failf(section, claim, "%s", problem)
		return
	}
	b.Holdf(section, claim, "%s", evidence)
}

// Report gives what was collected so far.
func (b *Book) Report(service string, took time.Duration) Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.report
	out.Proofs = append([]Proof{}, out.Proofs...) // a list in JSON even without any
	out.Service, out.Seconds = service, took.Round(10*time.Millisecond).Seconds()
	return out
}

// SetDrill adds the timetable of the alerts and what the rules cost, if that was
// measured.
func (b *Book) SetDrill(rows []Row, cost Cost) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.Drill = rows
	if cost.Series > 0 {
		b.report.Cost = &cost
	}
}
