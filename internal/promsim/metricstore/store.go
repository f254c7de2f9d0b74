// Package metricstore stores metric series in memory for the PromQL engine.
//
// A Store takes samples, native histograms and exemplars, compresses samples into Prometheus chunks, and
// implements storage.Queryable and storage.ExemplarQueryable. With a limit it evicts the oldest chunks first
// and reports that in Stats. A series may also be a Generator, a function of time: thirty days of a counter
// then use no memory. A Scraper fills a Store from a metrics page.
//
// The package imports only lightweight packages of Prometheus, because it is part of a command-line tool.
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

// Errors of appending. The sample was rejected and the store did not change.
var (
	ErrOutOfOrder = errors.New("sample is older than the newest of its series")
	ErrDuplicate  = errors.New("sample has the time of another with a different value")
	ErrGenerated  = errors.New("series is generated and takes no samples")
	ErrNoName     = errors.New("series has no metric name")
	ErrExists     = errors.New("series exists")
)

// Store stores series; use [New] to create one. It is safe for concurrent use. A query sees each series as it
// was when the query first read it.
type Store struct {
	mu     sync.RWMutex
	limit  int // bytes; 0 is no limit
	byHash map[uint64][]*series
	byName map[string][]*series
	oldest oldestFirst
	stats  Stats
}

// Stats is the content of a store, and what it has evicted.
type Stats struct {
	Series  int // stored and generated
	Samples int // stored, stale markers included
	// Bytes of samples, labels and exemplars, including Go's overhead: close to the memory that the store
	// occupies.
	Bytes int
	// Oldest is the time of the oldest stored sample, in milliseconds since the epoch; 0 without samples.
	Oldest int64

	EvictedSamples int
	EvictedBytes   int
	// EvictedUntil is the time of the newest evicted sample, or 0; the store is complete after it.
	EvictedUntil int64
}

// New returns an empty store without a limit.
func New() *Store { return NewWithLimit(0) }

// NewWithLimit returns an empty store of at most maxBytes, counted as in [Stats]; 0 or less is no limit. The
// store first evicts the chunk whose newest sample is the oldest of all series, and removes a series with its
// last chunk. The chunk that is being written is never evicted.
func NewWithLimit(maxBytes int) *Store {
	return &Store{limit: max(maxBytes, 0), byHash: map[uint64][]*series{}, byName: map[string][]*series{}}
}

// Stats returns the current statistics.
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

// Append adds a sample at t, in milliseconds since the epoch. Samples of one series must be in order of time;
// a duplicate is ignored.
func (s *Store) Append(l labels.Labels, t int64, v float64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(l, t, point{v: v})
}

// AppendHistogram adds a native histogram at t. The store only has floating-point histograms, which the
// engine uses; ToFloat converts an integer histogram. h is copied. A series may have both values and
// histograms.
func (s *Store) AppendHistogram(l labels.Labels, t int64, h *histogram.FloatHistogram) error {
	if err := h.Validate(); err != nil {
		return fmt.Errorf("%s at %d ms: native histogram: %w", l, t, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(l, t, point{v: h.Sum, h: h})
}

// MarkStale ends a series at t: it has no value until the next sample. It does nothing if the series does not
// exist or has already ended.
func (s *Store) MarkStale(l labels.Labels, t int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.find(l)
	if x == nil || x.gen != nil || value.IsStaleNaN(x.last) {
		return nil
	}
	return s.append(l, t, point{v: math.Float64frombits(value.StaleNaN)})
}

// append adds one sample and evicts others if necessary. The caller holds the lock.
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

// find returns the series with a label set, or nil. The caller holds the lock.
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
