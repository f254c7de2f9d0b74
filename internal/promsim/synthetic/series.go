package synthetic

import (
	"math"
	"time"

	"github.com/prometheus/prometheus/model/value"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// Series defines what a scraper writes for one series. Times are relative to the start of the store.
type Series struct {
	First, Last time.Duration // scrapes
	Every       time.Duration // scrape interval
	// Lost reports whether a scrape leaves no trace; nil means that none is lost.
	Lost func(t time.Duration) bool
	// Exists reports whether a scrape finds the series. The first scrape without it writes a stale marker.
	Exists func(t time.Duration) bool
	Read   func(t time.Duration) float64
}

// Generator returns a generator that computes the samples when the store is read.
func (s Series) Generator() metricstore.Generator {
	stale := math.Float64frombits(value.StaleNaN)
	return metricstore.Generator{
		First: s.First.Milliseconds(), Last: s.Last.Milliseconds(), Step: s.Every.Milliseconds(),
		Missing: func(ms int64) bool {
			t := time.Duration(ms) * time.Millisecond
			if s.Lost != nil && s.Lost(t) {
				return true
			}
			return !s.Exists(t) && !s.Exists(t-s.Every)
		},
		Value: func(ms int64) float64 {
			t := time.Duration(ms) * time.Millisecond
			if !s.Exists(t) {
				return stale
			}
			return s.Read(t)
		},
	}
}

// Number converts a state to the value of a gauge: 1 for true, 0 for false.
func Number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
