package metricstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// exemplarsPerSeries limits the exemplars of one series. A bucket that gets one every 15 s has a quarter of
// an hour; queries only show the last few.
const exemplarsPerSeries = 64

// Errors of AppendExemplar. The store does not change.
var (
	ErrNoSeries       = errors.New("exemplar of a series without samples")
	ErrExemplarLabels = fmt.Errorf("labels of an exemplar have more than the %d characters of OpenMetrics", exemplar.ExemplarMaxLabelSetLength)
)

// AppendExemplar adds an exemplar to an existing series. Each series keeps the newest 64. Exemplars must be
// in order of time. A duplicate is ignored; without HasTs the time is not compared, because it is the time of
// the scrape, and each scrape finds the same exemplar again.
func (s *Store) AppendExemplar(l labels.Labels, e exemplar.Exemplar) error {
	_, err := s.addExemplar(l, e)
	return err
}

// addExemplar reports whether the exemplar was new.
func (s *Store) addExemplar(l labels.Labels, e exemplar.Exemplar) (bool, error) {
	if characters(e.Labels) > exemplar.ExemplarMaxLabelSetLength {
		return false, fmt.Errorf("%s: %w", l, ErrExemplarLabels)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.find(l)
	if x == nil {
		return false, fmt.Errorf("%s: %w", l, ErrNoSeries)
	}
	if x.exemplars.has(e) {
		return false, nil
	}
	if x.exemplars == nil {
		x.exemplars = &ring{}
	}
	before := x.exemplars.bytes()
	if !x.exemplars.add(e) {
		return false, fmt.Errorf("%s: exemplar at %d ms: %w", l, e.Ts, ErrOutOfOrder)
	}
	s.stats.Bytes += x.exemplars.bytes() - before
	s.evict(x)
	return true, nil
}

func characters(l labels.Labels) int {
	n := 0
	l.Range(func(l labels.Label) { n += utf8.RuneCountInString(l.Name) + utf8.RuneCountInString(l.Value) })
	return n
}

// Exemplars returns the exemplars between two times, inclusive, of the series that match all matchers of any
// slice; without slices, of all series. Series are sorted by labels, exemplars by time.
func (s *Store) Exemplars(from, to int64, matchers ...[]*labels.Matcher) []exemplar.QueryResult {
	if len(matchers) == 0 {
		matchers = [][]*labels.Matcher{nil}
	}
	var found []*series
	for _, ms := range matchers {
		found = append(found, s.matching(ms)...)
	}
	slices.SortFunc(found, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []exemplar.QueryResult
	for _, x := range slices.Compact(found) {
		if es := x.exemplars.between(from, to); len(es) > 0 {
			out = append(out, exemplar.QueryResult{SeriesLabels: x.labels, Exemplars: es})
		}
	}
	return out
}

// ExemplarQuerier implements storage.ExemplarQueryable.
func (s *Store) ExemplarQuerier(context.Context) (storage.ExemplarQuerier, error) {
	return exemplarQuerier{s}, nil
}

type exemplarQuerier struct{ store *Store }

func (q exemplarQuerier) Select(from, to int64, matchers ...[]*labels.Matcher) ([]exemplar.QueryResult, error) {
	return q.store.Exemplars(from, to, matchers...), nil
}

// ring has the newest exemplars of a series in order of time. A nil ring is empty.
type ring struct {
	all  []exemplar.Exemplar
	size int
}

func (r *ring) bytes() int {
	if r == nil {
		return 0
	}
	return r.size
}

// has checks the newest first: a page repeats them until others replace them.
func (r *ring) has(e exemplar.Exemplar) bool {
	if r == nil {
		return false
	}
	for _, other := range slices.Backward(r.all) {
		if e.Equals(other) {
			return true
		}
	}
	return false
}

// add reports whether it added the exemplar: it must not be older than the newest one.
func (r *ring) add(e exemplar.Exemplar) bool {
	if n := len(r.all); n > 0 && e.Ts < r.all[n-1].Ts {
		return false
	}
	if len(r.all) == exemplarsPerSeries {
		r.size -= exemplarBytes(r.all[0])
		r.all = slices.Delete(r.all, 0, 1)
	}
	r.all = append(r.all, e)
	r.size += exemplarBytes(e)
	return true
}

func exemplarBytes(e exemplar.Exemplar) int {
	const fields = 40                        // its struct
	return fields + int(e.Labels.ByteSize()) //nolint:gosec // far below the limit of int
}

func (r *ring) between(from, to int64) []exemplar.Exemplar {
	if r == nil {
		return nil
	}
	var out []exemplar.Exemplar
	for _, e := range r.all {
		if e.Ts >= from && e.Ts <= to {
			out = append(out, e)
		}
	}
	return out
}
