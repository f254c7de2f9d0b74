package slo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// increase is a record of the number of events in one interval.
type increase struct{ record, expr string }

// counting defines how the increases of an objective are counted in a group.
type counting struct {
	scope    scope
	scrape   time.Duration
	every    time.Duration
	identity []string // see [Spec.Identity]
	by       []string // identity and GroupBy of the objective
	service  string
}

func (t counting) sumBy() string { return "sum by (" + strings.Join(t.by, ", ") + ") " }
func (t counting) on() string    { return "on (" + strings.Join(t.by, ", ") + ") " }

// grouped reports whether the objective has a GroupBy.
func (t counting) grouped() bool { return len(t.by) > len(t.identity) }

func (t counting) total() string { return recordTotal + window(t.every) }
func (t counting) bad() string   { return recordBad + window(t.every) }

// sli is the value of the sli label. It names the events, not the objective, so that
// objectives on metrics of the runtime share totals, and keep their history when they are
// renamed. For other metrics it is the name of the objective, which has no space.
func (t counting) sli(events string) string {
	if t.grouped() {
		events += groupedBy + strings.Join(t.by[len(t.identity):], ", ")
	}
	return events
}

// groupedBy is part of the sli of an objective with GroupBy; groupedSLIs matches these.
const (
	groupedBy   = " by "
	groupedSLIs = ".+" + groupedBy + ".+"
)

// counted returns the exact increase of counters: the sum of the differences between
// consecutive samples. The functions increase and delta extrapolate to the ends of the
// range, and are wrong if a series begins within it.
//
// A subquery has one step per scrape. Steps are aligned to the epoch, so that each belongs to
// exactly one interval. A sample counts in full if it does not continue another: after a
// reset, after a restart that the value does not show, and for a new series of a known
// target. Of two samples in a step the larger one counts: if Prometheus ingests created
// timestamps, a restart adds a zero after the last sample of the process before.
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

// restartClock is longer than the start time of a running process can change, which is
// computed from the clock.
const restartClock = 2 * time.Second

// step is the distance of compared samples, at most one interval.
func (t counting) step() time.Duration { return min(t.scrape, t.every) }

// reach is the maximum age of the previous sample: up to four consecutive scrapes may fail,
// also after the start of a process.
func (t counting) reach() time.Duration { return 6 * t.scrape }

// idle counts zero while the service runs, since its counters may not exist before the
// first event. Otherwise an idle service would have no data.
func (t counting) idle() string {
	if t.grouped() {
		return "" // the groups are unknown before their first event
	}
	return " or " + t.on() + "0 * group by (" + strings.Join(t.identity, ", ") + ") (" + t.scope.metric(t.scope.presence).String() + ")"
}

// ref selects the series of an SLI.
func ref(record, service, sli string) string {
	return record + "{" + labelService + "=" + strconv.Quote(service) + "," + labelSLI + "=" + strconv.Quote(sli) + "}"
}
