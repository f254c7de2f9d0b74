package metricstore

import (
	"errors"

	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Generator computes the samples of a series. Times are milliseconds since the epoch. Its functions must be
// deterministic and safe for concurrent use.
type Generator struct {
	First, Last int64 // first and last sample, inclusive
	Step        int64 // from one sample to the next, positive
	// Value returns the sample at t.
	Value func(t int64) float64
	// Missing reports whether there is no sample at t, for example after a lost scrape; nil means that no
	// sample is missing.
	Missing func(t int64) bool
}

func (g *Generator) validate() error {
	switch {
	case g.Step <= 0:
		return errors.New("a generator needs a positive step")
	case g.Value == nil:
		return errors.New("a generator needs a value")
	}
	return nil
}

// generated iterates over the samples of a generator.
type generated struct {
	floatsOnly
	g *Generator
	t int64
}

func newGenerated(g *Generator) *generated { return &generated{g: g, t: g.First - g.Step} }

func (it *generated) Next() chunkenc.ValueType {
	for it.t += it.g.Step; it.t <= it.g.Last; it.t += it.g.Step {
		if it.g.Missing == nil || !it.g.Missing(it.t) {
			return chunkenc.ValFloat
		}
	}
	return chunkenc.ValNone
}

func (it *generated) Seek(t millis) chunkenc.ValueType {
	if it.t >= it.g.First && it.t >= t {
		if it.t > it.g.Last {
			return chunkenc.ValNone
		}
		return chunkenc.ValFloat
	}
	if t > it.g.First {
		before := (t - it.g.First - 1) / it.g.Step
		it.t = max(it.t, it.g.First+before*it.g.Step)
	}
	return it.Next()
}

func (it *generated) At() (int64, float64) { return it.t, it.g.Value(it.t) }
func (it *generated) AtT() int64           { return it.t }
