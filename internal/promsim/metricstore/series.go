package metricstore

import (
	"fmt"
	"math"
	"sort"
	"unsafe"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// samplesPerChunk is the target of Prometheus' head: few enough for short seeks, and enough to make the
// header negligible.
const samplesPerChunk = 120

// Memory that Go needs in addition to the samples, in bytes. For a chunk: its entry in the series, its
// header, and allocator rounding. For a series: its entries in two indices and the heap.
// TestAnHourOfFiveThousandSeriesFits compares the sums with the memory of the process.
const (
	chunkBytes  = int(unsafe.Sizeof(chunk{})+unsafe.Sizeof(chunkenc.XORChunk{})) + 16
	seriesBytes = int(unsafe.Sizeof(series{})) + 100
)

// point is a sample: a native histogram if h is set, else v. With a histogram, v is its sum, which has the
// stale marker.
type point struct {
	v float64
	h *histogram.FloatHistogram
}

// series is one label set with its samples, stored or generated. Full chunks never change. The last chunk
// does, so readers copy it.
type series struct {
	store  *Store
	labels labels.Labels
	gen    *Generator

	chunks []chunk
	app    chunkenc.Appender // of the last chunk
	newest int64
	last   float64 // the newest value, or the sum of the newest histogram

	age       int64 // position key in the heap, see oldestFirst
	exemplars *ring // nil if there are none
}

// chunk has compressed samples of one kind between two times, inclusive.
type chunk struct {
	min, max int64
	data     chunkenc.Chunk
}

func (c chunk) bytes() int { return cap(c.data.Bytes()) + chunkBytes }

// fixedBytes returns the memory of the series without samples and exemplars.
func (x *series) fixedBytes() int {
	return int(x.labels.ByteSize()) + seriesBytes //nolint:gosec // far below the limit of int
}

// append returns the number of bytes by which the series has grown.
func (x *series) append(t int64, p point) (grown int, err error) {
	if p.h == nil && value.IsStaleNaN(p.v) && x.endsWithHistogram() {
		p.h = &histogram.FloatHistogram{Sum: p.v} // a marker does not need a new chunk
	}
	last := max(len(x.chunks)-1, 0)
	before := bytesOf(x.chunks[last:])
	previous, err := x.makeRoom(t, p)
	if err != nil {
		return 0, err
	}
	if p.h == nil {
		x.app.Append(0, t, p.v)
	} else if err := x.appendHistogram(previous, t, p.h); err != nil {
		return 0, err
	}
	x.chunks[len(x.chunks)-1].max = t
	x.newest, x.last = t, p.v
	return bytesOf(x.chunks[last:]) - before, nil
}

func bytesOf(chunks []chunk) int {
	n := 0
	for _, c := range chunks {
		n += c.bytes()
	}
	return n
}

func (x *series) endsWithHistogram() bool {
	n := len(x.chunks)
	return n > 0 && x.chunks[n-1].data.Encoding() == chunkenc.EncFloatHistogram
}

// makeRoom starts a chunk if the last one is full or of the other kind. It then returns the appender of the
// last chunk, which detects counter resets of histograms.
func (x *series) makeRoom(t int64, p point) (previous chunkenc.Appender, err error) {
	n := len(x.chunks)
	if n > 0 && !isFull(x.chunks[n-1].data) && x.endsWithHistogram() == (p.h != nil) {
		return nil, nil //nolint:nilnil // a missing previous appender is not an error
	}
	if n > 0 {
		x.chunks[n-1].data.Compact()
	}
	previous = x.app
	c := chunk{min: t, max: t, data: newChunk(p)}
	if x.app, err = c.data.Appender(); err != nil {
		return nil, fmt.Errorf("begin a chunk: %w", err)
	}
	x.chunks = append(x.chunks, c)
	return previous, nil
}

func newChunk(p point) chunkenc.Chunk {
	if p.h != nil {
		return chunkenc.NewFloatHistogramChunk()
	}
	return chunkenc.NewXORChunk()
}

// isFull follows Prometheus: chunks are limited by samples, and histogram chunks also by bytes, unless the
// histograms are so large that only few would fit.
func isFull(c chunkenc.Chunk) bool {
	n := c.NumSamples()
	return n >= samplesPerChunk || c.Encoding() == chunkenc.EncFloatHistogram &&
		len(c.Bytes()) >= chunkenc.TargetBytesPerHistogramChunk && n >= chunkenc.MinSamplesPerHistogramChunk
}

// appendHistogram passes a copy to the appender, which may change the layout of its argument, rewrite the
// chunk, or start another one.
func (x *series) appendHistogram(previous chunkenc.Appender, t int64, h *histogram.FloatHistogram) error {
	next, rewritten, app, err := x.app.AppendFloatHistogram(previous, 0, t, h.Copy(), false)
	if err != nil {
		return fmt.Errorf("native histogram at %d ms: %w", t, err)
	}
	x.app = app
	switch {
	case next == nil:
	case rewritten:
		x.chunks[len(x.chunks)-1].data = next
	default:
		x.chunks[len(x.chunks)-1].data.Compact()
		x.chunks = append(x.chunks, chunk{min: t, data: next})
	}
	return nil
}

// refuse returns the error for a sample that is not newer than the newest one.
func (x *series) refuse(t int64, p point) error {
	switch {
	case t < x.newest:
		return fmt.Errorf("%s at %d ms: %w", x.labels, t, ErrOutOfOrder)
	case !x.endsWith(p):
		return fmt.Errorf("%s at %d ms: %w", x.labels, t, ErrDuplicate)
	}
	return nil
}

func (x *series) endsWith(p point) bool {
	if x.endsWithHistogram() != (p.h != nil) {
		return false
	}
	if p.h == nil {
		return math.Float64bits(p.v) == math.Float64bits(x.last)
	}
	it := x.chunks[len(x.chunks)-1].data.Iterator(nil)
	if it.Seek(x.newest) != chunkenc.ValFloatHistogram {
		return false
	}
	_, last := it.AtFloatHistogram(nil)
	return last.Compact(0).Equals(p.h.Copy().Compact(0))
}

// snapshot returns the current chunks with samples between two times, with a copy of the last chunk.
func (x *series) snapshot(from, to int64) []chunk {
	x.store.mu.RLock()
	defer x.store.mu.RUnlock()
	n := len(x.chunks)
	first := sort.Search(n, func(i int) bool { return x.chunks[i].max >= from })
	end := sort.Search(n, func(i int) bool { return x.chunks[i].min > to })
	if first >= end {
		return nil
	}
	out := append([]chunk(nil), x.chunks[first:end]...)
	if end == n {
		head := newChunk(point{})
		if x.endsWithHistogram() {
			head = chunkenc.NewFloatHistogramChunk()
		}
		head.Reset(append([]byte(nil), x.chunks[n-1].data.Bytes()...))
		out[len(out)-1].data = head
	}
	return out
}
