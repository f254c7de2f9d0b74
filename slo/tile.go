package slo

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// tile is one recording of one interval: how many events there were.
type tile struct{ record, expr string }

// tiling is how the tiles of one objective are counted within one group.
type tiling struct {
	scrape, every time.Duration
	by            []string // grouping labels, the environment first
	service       string
	objective     string // sloth_id
}

// reach is one interval and one scrape: neighbouring tiles share their border
// sample, so that no increment falls between two of them.
func (t tiling) reach() string { return "[" + window(t.every+t.scrape) + "]" }

// scale takes out the extrapolation over the shared scrape.
func (t tiling) scale() string {
	return fmt.Sprintf(" * %d / %d", t.every/time.Second, (t.every+t.scrape)/time.Second)
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

// counted is the increase of counters from the first event on. Plain increase
// takes a counter to have been zero only shortly before its first sample and
// so loses up to a third of the first events of each fresh process. delta does
// not, and only a reset makes it negative.
func (t tiling) counted(sel selector) string {
	s := sel.String() + t.reach()
	return t.sumBy() + "((delta(" + s + ") >= 0) or increase(" + s + "))" + t.scale()
}

// increase is enough where fractions of single events do not matter.
func (t tiling) increase(sel selector) string {
	return t.sumBy() + "(increase(" + sel.String() + t.reach() + "))" + t.scale()
}

// ref reads the series of one tile.
func ref(record, id string) string { return record + "{" + labelTile + "=" + strconv.Quote(id) + "}" }

// ofObjective reads a series of one objective.
func ofObjective(record, id string) string {
	return record + "{" + labelSlothID + "=" + strconv.Quote(id) + "}"
}

// groupedTiles matches the tiles of objectives with a GroupBy; see [tiling.id].
const groupedTiles = ".+/.+/.+"
