// Package metricstore keeps metric series in memory for the PromQL engine.
//
// A Store takes samples with Append, compresses them into the chunks of
// Prometheus, and answers queries as a storage.Queryable. A series may also be a
// Generator, a function of time: thirty days of a counter then cost nothing.
//
// Only the packages of Prometheus that stay light are imported: the store, like
// what reads it, is part of a command line tool.
package metricstore

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// samplesPerChunk is what Prometheus' own head aims for: few enough that a seek
// inside a chunk is short, enough that its header does not matter.
const samplesPerChunk = 120

// Errors of Append. They mean that one sample was refused and nothing changed.
var (
	ErrOutOfOrder = errors.New("sample is older than the newest of its series")
	ErrDuplicate  = errors.New("sample has the time of another with a different value")
	ErrGenerated  = errors.New("series is generated and takes no samples")
	ErrNoName     = errors.New("series has no metric name")
	ErrExists     = errors.New("series exists")
)

// Store holds series. Its zero value is not usable; see [New]. Everything may be
// called concurrently. A query sees each series as it was when the query first
// read it.
type Store struct {
	mu     sync.RWMutex
	byHash map[uint64][]*series
	byName map[string][]*series
	stats  Stats
}

// Stats is what a store holds.
type Stats struct {
	Series  int // stored and generated
	Samples int // appended, stale markers included
	Bytes   int // of compressed samples and of labels
}

// New returns an empty store.
func New() *Store {
	return &Store{byHash: map[uint64][]*series{}, byName: map[string][]*series{}}
}

// Stats counts what the store holds now.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.stats
}

// Append adds a sample at t, in milliseconds since the epoch. Samples of one
// series come in the order of time; a sample that is there already is ignored.
func (s *Store) Append(l labels.Labels, t int64, v float64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.getOrCreate(l)
	if err != nil {
		return err
	}
	if x.gen != nil {
		return fmt.Errorf("%s: %w", l, ErrGenerated)
	}
	if len(x.chunks) > 0 && t <= x.newest {
		return x.refuse(t, v)
	}
	grown, err := x.append(t, v)
	if err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	s.stats.Bytes += grown
	s.stats.Samples++
	return nil
}

// MarkStale ends a series at t: from there on it has no value until the next
// sample. A series that does not exist, or has ended, is left alone.
func (s *Store) MarkStale(l labels.Labels, t int64) error {
	s.mu.RLock()
	x := s.find(l)
	live := x != nil && x.gen == nil && !value.IsStaleNaN(x.last)
	s.mu.RUnlock()
	if !live {
		return nil
	}
	return s.Append(l, t, math.Float64frombits(value.StaleNaN))
}

// Generate adds a series whose samples are computed when they are read.
func (s *Store) Generate(l labels.Labels, g Generator) error {
	if err := g.validate(); err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(l) != nil {
		return fmt.Errorf("%s: %w", l, ErrExists)
	}
	x, err := s.getOrCreate(l)
	if err != nil {
		return err
	}
	x.gen = &g
	return nil
}

// find returns the series of a label set, or nil. The lock is held.
func (s *Store) find(l labels.Labels) *series {
	for _, x := range s.byHash[l.Hash()] {
		if labels.Equal(x.labels, l) {
			return x
		}
	}
	return nil
}

func (s *Store) getOrCreate(l labels.Labels) (*series, error) {
	if x := s.find(l); x != nil {
		return x, nil
	}
	name := l.Get(model.MetricNameLabel)
	if name == "" {
		return nil, fmt.Errorf("%s: %w", l, ErrNoName)
	}
	x := &series{store: s, labels: l}
	hash := l.Hash()
	s.byHash[hash] = append(s.byHash[hash], x)
	s.byName[name] = append(s.byName[name], x)
	s.stats.Series++
	s.stats.Bytes += int(l.ByteSize()) //nolint:gosec // far below the limit of int
	return x, nil
}

// series is one label set and its samples, stored or generated. Full chunks
// never change; the last one does, so readers copy it.
type series struct {
	store  *Store
	labels labels.Labels
	gen    *Generator

	chunks []chunk
	app    chunkenc.Appender
	newest int64
	last   float64
}

// chunk is compressed samples from the time min on.
type chunk struct {
	min  int64
	data *chunkenc.XORChunk
}

// append returns by how many bytes the series has grown.
func (x *series) append(t int64, v float64) (grown int, err error) {
	n := len(x.chunks)
	if n == 0 || x.chunks[n-1].data.NumSamples() >= samplesPerChunk {
		if n > 0 {
			x.chunks[n-1].data.Compact()
		}
		c := chunk{min: t, data: chunkenc.NewXORChunk()}
		if x.app, err = c.data.Appender(); err != nil {
			return 0, fmt.Errorf("begin a chunk: %w", err)
		}
		x.chunks = append(x.chunks, c)
		grown = len(c.data.Bytes())
		n++
	}
	head := x.chunks[n-1].data
	before := len(head.Bytes())
	x.app.Append(0, t, v)
	x.newest, x.last = t, v
	return grown + len(head.Bytes()) - before, nil
}

func (x *series) refuse(t int64, v float64) error {
	switch {
	case t < x.newest:
		return fmt.Errorf("%s at %d ms: %w", x.labels, t, ErrOutOfOrder)
	case math.Float64bits(v) != math.Float64bits(x.last):
		return fmt.Errorf("%s at %d ms: %w", x.labels, t, ErrDuplicate)
	}
	return nil
}

// snapshot is the chunks as they are now, the last one copied.
func (x *series) snapshot() []chunk {
	x.store.mu.RLock()
	defer x.store.mu.RUnlock()
	n := len(x.chunks)
	if n == 0 {
		return nil
	}
	out := make([]chunk, n)
	copy(out, x.chunks)
	head := chunkenc.NewXORChunk()
	head.Reset(append([]byte(nil), x.chunks[n-1].data.Bytes()...))
	out[n-1].data = head
	return out
}
