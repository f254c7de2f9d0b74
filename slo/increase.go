package slo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// increase is one recording of one interval: how many events there were.
type increase struct{ record, expr string }

// counting is how the increases of one objective are counted within one group.
type counting struct {
	scope    scope
	scrape   time.Duration
	every    time.Duration
	identity []string // labels that keep instances apart, the environment first
	by       []string // those and the labels that the objective is grouped by
	service  string
}

func (t counting) sumBy() string { return "sum by (" + strings.Join(t.by, ", ") + ") " }
func (t counting) on() string    { return "on (" + strings.Join(t.by, ", ") + ") " }

// grouped reports whether each value of a label has a budget of its own.
func (t counting) grouped() bool { return len(t.by) > len(t.identity) }

func (t counting) total() string { return recordTotal + window(t.every) }
func (t counting) bad() string   { return recordBad + window(t.every) }

// sli names what is counted, and not who counts it: objectives of one service on the
// runtime's own metrics share their totals, and a rename keeps their history. An
// objective on other metrics has its own name there, which holds no space.
func (t counting) sli(events string) string {
	if t.grouped() {
		events += groupedBy + strings.Join(t.by[len(t.identity):], ", ")
	}
	return events
}

// groupedBy stands in the sli of an objective with a GroupBy; groupedSLIs matches them.
const (
	groupedBy   = " by "
	groupedSLIs = ".+" + groupedBy + ".+"
)

// counted is the increase of counters, exact to the event: the sum of what each
// sample adds to the one before it. increase and delta would extrapolate what they
// find to the ends of their range, and be wrong wherever a series begins in it.
//
// A subquery takes one step for each scrape. Steps are multiples of their length
// since the epoch, so that every step belongs to exactly one interval. A sample
// counts in full where it continues none: after a reset, after a restart that the
// value does not show, and for a series that is new in a target that is not. Of two
// samples in a step the larger counts: where Prometheus ingests created timestamps, a
// restart puts a zero behind the last sample of the process before.
func (t counting) counted(sel selector) string {
	step, series := t.step(), sel.String()
	now := "max_over_time(" + series + "[" + window(step) + "])"
	before := func(function, series string) string {
		return function + "(" + series + "[" + window(t.reach()) + "] offset " + window(step) + ")"
	}
	up, start := t.scope.ofTarget(t.scope.presence, sel).String(), t.scope.ofTarget(semconv.ProcessStartTime, sel).String()
	young := fmt.Sprintf("%s > time() - %d", start, int(t.reach().Seconds()))
	target := " on (" + strings.Join(append(slices.Clone(t.identity), semconv.LabelJob, semconv.LabelInstance), ", ") + ") "

	restarted := "(" + young + ") - " + before("last_over_time", start) + " > " + strconv.Itoa(int(restartClock.Seconds()))
	known := before("max_over_time", up) + " == 1 or " + young
	increase := now + " - (" + before("last_over_time", series) + " unless" + target + "(" + restarted + ")) >= 0" +
		" or " + now + " and" + target + "(" + known + ")"
	return "sum_over_time(" + t.sumBy() + "(" + increase + ")[" + window(t.every) + ":" + window(step) + "])"
}

// restartClock is more than the start of a process moves while it runs: it is
// computed from the clock, and by a second off when that is set.
const restartClock = 2 * time.Second

// step is how far apart samples are compared. An increase holds one step at least.
func (t counting) step() time.Duration { return min(t.scrape, t.every) }

// reach is how far back the sample before may lie: four scrapes in a row may be
// lost, also from the start of a process on.
func (t counting) reach() time.Duration { return 6 * t.scrape }

// idle counts zero while the service runs: counters of its own may be born with their
// first event, and what nobody uses at night is not without data.
func (t counting) idle() string {
	if t.grouped() {
		return "" // there is no group yet to count zero for
	}
	return " or " + t.on() + "0 * group by (" + strings.Join(t.identity, ", ") + ") (" + t.scope.metric(t.scope.presence).String() + ")"
}

// ref reads a series of one SLI of a service.
func ref(record, service, sli string) string {
	return record + "{" + labelService + "=" + strconv.Quote(service) + "," + labelSLI + "=" + strconv.Quote(sli) + "}"
}
