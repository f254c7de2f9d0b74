package render

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/prometheus/common/model"
)

// Limits of what is read, sent and drawn. Each is at least ten times what a large dashboard needs.
const (
	// Values in JSON, by [weight].
	maxDashboardWeight = 2_000_000
	maxResponseWeight  = 6_000_000
	maxSnapshotWeight  = 10_000_000

	maxVariables = 500
	maxQuery     = 250_000 // bytes, with the values of its variables
	maxTargets   = 100     // queries of a panel
	maxResults   = 128 << 20
	maxOverrides = 500 // of a panel, with their properties

	maxTransformations = 50
	maxRows            = 5000
	maxValuesUsed      = 10_000 // of a variable
	maxColumns         = 100    // of labels
	maxCells           = 2_000_000
	maxEvents          = 1000
	maxName            = 2000 // bytes of the name of a series
	maxProblem         = 500  // bytes
	maxProblems        = 100  // that are listed
	maxReported        = 10_000
	maxFlameLevels     = 2000
	maxPicture         = 32 << 20
)

// weight is about the number of values in JSON; an object, which takes more memory, counts as 20. It is counted
// before decoding: {}, is three bytes of a file and hundreds of bytes of memory.
func weight(src []byte) int {
	const object = 20
	return object*bytes.Count(src, []byte("{")) + bytes.Count(src, []byte("[")) + bytes.Count(src, []byte(","))
}

// budget is what is left of a number of bytes.
type budget int

// take returns as much of a text as is left.
func (b *budget) take(text string) string {
	text = cut(text, int(*b))
	*b -= budget(len(text))
	return text
}

// limits is what all panels of a dashboard share.
type limits struct {
	ctx            context.Context //nolint:containedctx // of the drawing, which no function passes on
	results, drawn atomic.Int64    // bytes
}

// done reports whether drawing has no time left. Without limits there is no end.
func (l *limits) done() bool { return l != nil && l.ctx.Err() != nil }

// full reports whether a panel must end: it has no time left, or is larger than a picture.
func (l *limits) full(c *canvas) bool { return l.done() || c.buf.Len() > maxPicture }

// hold adds the size of a result to those that the dashboard holds.
func (l *limits) hold(r Result) error {
	if l.results.Add(int64(r.size())) > maxResults {
		l.results.Add(-int64(r.size()))
		return fmt.Errorf("the results of the dashboard are larger than %d MiB; select fewer series or a shorter time range", maxResults>>20)
	}
	return nil
}

// drawWithin draws a panel, or a message if there is no time or space for it. An error is drawn in any case.
func (r *renderer) drawWithin(d *drawing, id string) {
	failed := d.data.err != nil
	var err error
	if failed || !r.limits.done() {
		r.drawPanel(d, id)
		err = r.limits.charge(d.canvas.buf.Len())
	}
	if r.limits.done() {
		err = fmt.Errorf("the dashboard was not drawn within %s; use a shorter time range or a longer timeout", r.options.Timeout)
	}
	if err == nil || failed {
		return
	}
	r.report("panel "+d.panel.Title, err.Error())
	*d = drawing{renderer: d.renderer, panel: d.panel, box: d.box, data: panelData{err: err}}
	r.drawPanel(d, id)
}

// charge adds the size of a panel to that of the picture.
func (l *limits) charge(size int) error {
	if l.drawn.Add(int64(size)) > maxPicture {
		l.drawn.Add(-int64(size))
		return fmt.Errorf("the picture is larger than %d MiB; draw fewer panels or series", maxPicture>>20)
	}
	return nil
}

// size returns about how many bytes a result takes.
func (r Result) size() int {
	const object = 64
	size := 0
	for _, s := range r.Series {
		size += object + labelsSize(s.Metric) + 16*len(s.Values)
		for _, h := range s.Histograms {
			size += object
			if h.Histogram != nil {
				size += object * len(h.Histogram.Buckets)
			}
		}
	}
	for _, v := range r.Values {
		size += 16 + len(v)
	}
	for _, e := range r.Exemplars {
		size += object + labelsSize(e.Labels)
	}
	for _, a := range r.Alerts {
		size += object + len(a.Name) + labelsSize(a.Labels)
	}
	for _, l := range r.Lines {
		size += object + len(l.Text)
	}
	for _, t := range r.Traces {
		size += object + len(t.Name) + len(t.Service)
	}
	if r.Profile != nil {
		size += r.Profile.size()
	}
	return size
}

func (f Flame) size() int {
	const node = 100
	size := node + len(f.Name)
	for _, c := range f.Children {
		size += c.size()
	}
	return size
}

func labelsSize[K, V ~string](labels map[K]V) int {
	const entry = 32
	size := 0
	for name, value := range labels {
		size += entry + len(name) + len(value)
	}
	return size
}

// maxJoined is the number of queries of a table that may have as many series as a graph.
const maxJoined = 20

// withinSeries returns as many series as a panel has room for, with those of its other queries.
func (r *renderer) withinSeries(p *panel, series model.Matrix, out *panelData) model.Matrix {
	most := maxSeries
	if p.Type == "table" { // its queries are joined: a column each
		most *= maxJoined
	}
	if room := most - out.series; len(series) > room {
		r.report("panel "+p.Title, fmt.Sprintf("its queries have more than %d series; the first are drawn", most))
		series = series[:room]
	}
	out.series += len(series)
	return series
}

// addCells adds the cells of a heatmap.
func (r *renderer) addCells(p *panel, c cells, out *panelData) {
	if c.cut {
		r.report("panel "+p.Title, fmt.Sprintf("it has more than %d cells; the first are drawn", maxCells))
	}
	out.cells = c
}

// addTable adds the rows of a query.
func (r *renderer) addTable(p *panel, t target, series model.Matrix, several bool, out *panelData) {
	rows := 0
	for _, s := range series {
		rows += len(s.Values)
	}
	if rows > maxRows-out.rows {
		series = withinRows(series, maxRows-out.rows)
		r.report("panel "+p.Title, fmt.Sprintf("the first %d rows are drawn", maxRows))
	}
	frame := tableFrame(t, series, several)
	out.rows += frame.Len()
	out.frames = append(out.frames, frame)
}

// withinRows returns series with at most so many values together.
func withinRows(series model.Matrix, rows int) model.Matrix {
	for i, s := range series {
		if rows -= len(s.Values); rows < 0 {
			last := *s
			last.Values = last.Values[:len(last.Values)+rows]
			return append(series[:i:i], &last)
		}
	}
	return series
}

// maxMarkdownCells is the number of cells of a Markdown table: its parser adds those that a row lacks.
const maxMarkdownCells = 100_000

// maxNested is the number of characters before the text of a line of Markdown, which may be levels of lists.
const maxNested = 500

// isDeep reports whether a text may have lists or quotes that are nested so deep that parsing takes long.
func isDeep(text string) bool {
	for line := range strings.Lines(text) {
		if len(line)-len(strings.TrimLeft(line, " \t>-*+.)0123456789")) > maxNested {
			return true
		}
	}
	return false
}

// hasLargeTable reports whether a table of a text may have too many cells.
func hasLargeTable(text string) bool {
	columns := 0
	for line := range strings.Lines(text) {
		columns = max(columns, strings.Count(line, "|")+1)
	}
	return columns*(strings.Count(text, "\n")+1) > maxMarkdownCells
}
