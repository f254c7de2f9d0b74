package slo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// tile is one recording of one interval: how many events there were.
type tile struct{ record, expr string }

// tiling is how the tiles of one objective are counted within one group.
type tiling struct {
	scope     scope
	scrape    time.Duration
	every     time.Duration
	by        []string // grouping labels, the environment first
	service   string
	objective string // sloth_id
}

func (t tiling) sumBy() string { return "sum by (" + strings.Join(t.by, ", ") + ") " }
func (t tiling) on() string    { return "on (" + strings.Join(t.by, ", ") + ") " }

func (t tiling) total() string { return recordTotal + window(t.every) }
func (t tiling) bad() string   { return recordBad + window(t.every) }

// id names a tile by what is counted and not by who counts it: history outlives
// the rename of an objective, and objectives on one metric share their tiles.
func (t tiling) id(events string) string {
	id := t.service + "/" + events
	if len(t.by) > 1 {
		id += "/" + strings.Join(t.by[1:], "+")
	}
	return id
}

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
func (t tiling) counted(sel selector) string {
	step, series := t.step(), sel.String()
	now := "max_over_time(" + series + "[" + window(step) + "])"
	before := func(function, series string) string {
		return function + "(" + series + "[" + window(t.reach()) + "] offset " + window(step) + ")"
	}
	up, start := t.scope.ofTarget(t.scope.presence, sel).String(), t.scope.ofTarget(semconv.ProcessStartTime, sel).String()
	young := fmt.Sprintf("%s > time() - %d", start, int(t.reach().Seconds()))
	target := " on (" + strings.Join(append(slices.Clone(t.by[:1]), semconv.LabelJob, semconv.LabelInstance), ", ") + ") "

	restarted := "(" + young + ") - " + before("last_over_time", start) + " > " + strconv.Itoa(int(restartClock.Seconds()))
	known := before("max_over_time", up) + " == 1 or " + young
	increase := now + " - (" + before("last_over_time", series) + " unless" + target + "(" + restarted + ")) >= 0" +
		" or " + now + " and" + target + "(" + known + ")"
	return "sum_over_time(" + t.sumBy() + "(" + increase + ")[" + window(t.every) + ":" + window(step) + "])"
}

// restartClock is more than the start of a process moves while it runs: it is
// computed from the clock, and by a second off when that is set.
const restartClock = 2 * time.Second

// step is how far apart samples are compared. A tile holds one step at least.
func (t tiling) step() time.Duration { return min(t.scrape, t.every) }

// reach is how far back the sample before may lie: four scrapes in a row may be
// lost, also from the start of a process on.
func (t tiling) reach() time.Duration { return 6 * t.scrape }

// idle counts zero while the service runs: counters of its own may be born with their
// first event, and what nobody uses at night is not without data.
func (t tiling) idle() string {
	if len(t.by) > 1 {
		return "" // there is no group yet to count zero for
	}
	return " or " + t.on() + "0 * group by (" + t.by[0] + ") (" + t.scope.metric(t.scope.presence).String() + ")"
}

// ref reads the series of one tile.
func ref(record, id string) string { return record + "{" + labelTile + "=" + strconv.Quote(id) + "}" }

// ofObjective reads a series of one objective.
func ofObjective(record, id string) string {
	return record + "{" + labelSlothID + "=" + strconv.Quote(id) + "}"
}

// groupedTiles matches the tiles of objectives with a GroupBy; see [tiling.id].
const groupedTiles = ".+/.+/.+"
