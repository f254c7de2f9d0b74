// Package metricstore keeps metric series in memory for the PromQL engine.
//
// A Store takes samples, native histograms and exemplars, compresses samples
// into the chunks of Prometheus, and answers queries as a storage.Queryable and
// a storage.ExemplarQueryable. With a limit it forgets the oldest chunks first
// and says so in its Stats. A series may also be a Generator, a function of
// time: thirty days of a counter then cost nothing. A Scraper fills a Store from
// a metrics page.
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
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// Errors of appending. They mean that one sample was refused and nothing changed.
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
	limit  int // bytes; 0 is none
	byHash map[uint64][]*series
	byName map[string][]*series
	oldest oldestFirst
	stats  Stats
}

// Stats is what a store holds, and what it has given up to stay within its limit.
type Stats struct {
	Series  int // stored and generated
	Samples int // held, stale markers included
	// Bytes of samples, labels and exemplars, with what Go needs to keep them:
	// close to what the store occupies.
	Bytes int
	// Oldest is the time of the oldest sample held, in milliseconds since the
	// epoch; 0 without samples.
	Oldest int64

	EvictedSamples int
	EvictedBytes   int
	// EvictedUntil is the time of the newest sample that was evicted: what is
	// younger is complete. 0 when nothing was.
	EvictedUntil int64
}

// New returns an empty store that keeps everything.
func New() *Store { return NewWithLimit(0) }

// NewWithLimit returns an empty store of at most maxBytes, counted as in
// [Stats]; 0 or less is no limit. The chunk whose newest sample is the oldest
// goes first, whichever series it belongs to, and a series goes with its last
// chunk. Only the chunk that is being written stays in any case.
func NewWithLimit(maxBytes int) *Store {
	return &Store{limit: max(maxBytes, 0), byHash: map[uint64][]*series{}, byName: map[string][]*series{}}
}

// Stats counts what the store holds now.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := s.stats
	for i, x := range s.oldest {
		if first := x.chunks[0].min; i == 0 || first < out.Oldest {
			out.Oldest = first
		}
	}
	return out
}

// Append adds a sample at t, in milliseconds since the epoch. Samples of one
// series come in the order of time; a sample that is there already is ignored.
func (s *Store) Append(l labels.Labels, t int64, v float64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(l, t, point{v: v})
}

// AppendHistogram adds a native histogram at t. The store keeps floating-point
// histograms only, since that is what the engine computes with; ToFloat makes
// one of an integer histogram. h is copied. Samples and histograms may follow
// each other in one series.
func (s *Store) AppendHistogram(l labels.Labels, t int64, h *histogram.FloatHistogram) error {
	if err := h.Validate(); err != nil {
		return fmt.Errorf("%s at %d ms: native histogram: %w", l, t, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(l, t, point{v: h.Sum, h: h})
}

// MarkStale ends a series at t: from there on it has no value until the next
// sample. A series that does not exist, or has ended, is left alone.
func (s *Store) MarkStale(l labels.Labels, t int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.find(l)
	if x == nil || x.gen != nil || value.IsStaleNaN(x.last) {
		return nil
	}
	return s.append(l, t, point{v: math.Float64frombits(value.StaleNaN)})
}

// append adds one sample and makes room for it. The lock is held.
func (s *Store) append(l labels.Labels, t int64, p point) error {
	x, err := s.getOrCreate(l)
	if err != nil {
		return err
	}
	if x.gen != nil {
		return fmt.Errorf("%s: %w", l, ErrGenerated)
	}
	if len(x.chunks) > 0 && t <= x.newest {
		return x.refuse(t, p)
	}
	fresh := len(x.chunks) == 0
	grown, err := x.append(t, p)
	if err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	if fresh {
		s.oldest.push(x)
	}
	s.stats.Bytes += grown
	s.stats.Samples++
	s.evict(x)
	return nil
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
	s.stats.Bytes += x.fixedBytes()
	return x, nil
}
