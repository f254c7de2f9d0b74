package metricstore

import (
	"container/heap"
	"slices"

	"github.com/prometheus/common/model"
)

// evict drops the oldest chunks until the store is within its limit, except the last chunk of writing. The
// caller holds the lock.
func (s *Store) evict(writing *series) {
	for s.limit > 0 && s.stats.Bytes > s.limit {
		x := s.oldest.first()
		if x == nil || x == writing && len(x.chunks) == 1 {
			return
		}
		s.drop(x)
	}
}

// drop removes the first chunk of a series, and the series with its last chunk.
func (s *Store) drop(x *series) {
	gone := x.chunks[0]
	bytes, samples := gone.bytes(), gone.data.NumSamples()
	x.chunks[0] = chunk{} // free the memory while the slice keeps its array
	x.chunks = x.chunks[1:]
	if len(x.chunks) == 0 {
		bytes += s.forget(x)
	}
	s.stats.Bytes -= bytes
	s.stats.Samples -= samples
	s.stats.EvictedBytes += bytes
	s.stats.EvictedSamples += samples
	s.stats.EvictedUntil = max(s.stats.EvictedUntil, gone.max)
}

// forget removes the first series of the heap from every index and returns the bytes that it used.
func (s *Store) forget(x *series) int {
	heap.Pop(&s.oldest)
	isX := func(y *series) bool { return y == x }
	hash, name := x.labels.Hash(), x.labels.Get(model.MetricNameLabel)
	if s.byHash[hash] = slices.DeleteFunc(s.byHash[hash], isX); len(s.byHash[hash]) == 0 {
		delete(s.byHash, hash)
	}
	if s.byName[name] = slices.DeleteFunc(s.byName[name], isX); len(s.byName[name]) == 0 {
		delete(s.byName, name)
	}
	s.stats.Series--
	return x.fixedBytes() + x.exemplars.bytes()
}

// oldestFirst is a heap of the stored series, ordered by the newest sample of their first chunk. That time
// only grows, so it is updated when a series is first in the heap, not with every sample.
type oldestFirst []*series

// first returns the series with the oldest first chunk, or nil.
func (h *oldestFirst) first() *series {
	for len(*h) > 0 {
		x := (*h)[0]
		if x.age == x.chunks[0].max {
			return x
		}
		x.age = x.chunks[0].max
		heap.Fix(h, 0)
	}
	return nil
}

func (h *oldestFirst) push(x *series) {
	x.age = x.chunks[0].max
	heap.Push(h, x)
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (h *oldestFirst) Len() int           { return len(*h) }
func (h *oldestFirst) Less(i, j int) bool { return (*h)[i].age < (*h)[j].age }
func (h *oldestFirst) Swap(i, j int)      { (*h)[i], (*h)[j] = (*h)[j], (*h)[i] }
func (h *oldestFirst) Push(x any)         { *h = append(*h, x.(*series)) } //nolint:forcetypeassert // only push calls it
func (h *oldestFirst) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return x
}
