package synthetic

import (
	"math"
	"time"

	"github.com/prometheus/prometheus/model/value"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// Series is what a scraper writes of one series. Moments are counted from the
// beginning of the store.
type Series struct {
	First, Last time.Duration // scrapes
	Every       time.Duration // from one scrape to the next
	// Lost says which scrapes reach nobody, so that they leave no trace; nil: none.
	Lost func(t time.Duration) bool
	// Exists says whether a scrape finds the series. The scraper ends one, with a
	// stale marker, at the first scrape without it.
	Exists func(t time.Duration) bool
	Read   func(t time.Duration) float64
}

// Generator makes the samples when the store is read.
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

// Number is a state as a gauge shows it: 1 for yes, 0 for no.
func Number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
