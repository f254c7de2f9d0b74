package grafana

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Reducer is a way to make one number of a field's values, by Grafana's name.
type Reducer string

// The reducers that panels, legends and tables use. Reducers with NotNull skip values that are
// missing; so do all that compute.
const (
	Last          Reducer = "last"
	LastNotNull   Reducer = "lastNotNull"
	First         Reducer = "first"
	FirstNotNull  Reducer = "firstNotNull"
	Min           Reducer = "min"
	Max           Reducer = "max"
	Mean          Reducer = "mean"
	Sum           Reducer = "sum"
	Count         Reducer = "count"
	Range         Reducer = "range"
	Difference    Reducer = "diff"
	Delta         Reducer = "delta"
	Median        Reducer = "median"
	StdDev        Reducer = "stdDev"
	Variance      Reducer = "variance"
	LogMin        Reducer = "logmin"
	ChangeCount   Reducer = "changeCount"
	DistinctCount Reducer = "distinctCount"
)

// Name returns the heading that a legend shows for the reducer.
func (r Reducer) Name() string {
	names := map[Reducer]string{
		Last: "Last", LastNotNull: "Last *", First: "First", FirstNotNull: "First *", Min: "Min", Max: "Max", Mean: "Mean", Sum: "Total",
		Count: "Count", Range: "Range", Difference: "Difference", Delta: "Delta", Median: "Median", StdDev: "StdDev", Variance: "Variance",
		LogMin: "Min (above zero)", ChangeCount: "Change Count", DistinctCount: "Distinct Count",
	}
	if name := names[r]; name != "" {
		return name
	}
	return string(r)
}

// Known reports whether [Reduce] computes the reducer.
func (r Reducer) Known() bool {
	_, isPercentile := r.percentile()
	return r.Name() != string(r) || isPercentile
}

// KeepsUnit reports whether the result has the unit of the values.
func (r Reducer) KeepsUnit() bool {
	return !slices.Contains([]Reducer{Count, ChangeCount, DistinctCount}, r)
}

func (r Reducer) percentile() (float64, bool) {
	digits, ok := strings.CutPrefix(string(r), "p")
	n, err := strconv.Atoi(digits)
	return float64(n) / 100, ok && err == nil && n > 0 && n < 100
}

// Reduce computes one number of values. It is NaN if there is none.
func Reduce(values []float64, r Reducer) float64 {
	nan := math.NaN()
	if len(values) == 0 {
		return nan
	}
	if p, ok := r.percentile(); ok {
		return percentile(values, p)
	}
	switch r {
	case Last:
		return values[len(values)-1]
	case First:
		return values[0]
	}
	present := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(present) == 0 {
		return none(r)
	}
	return reduce(present, r)
}

// none is what Grafana makes of no values.
func none(r Reducer) float64 {
	switch r {
	case Sum, Count, Delta, StdDev, Variance, ChangeCount, DistinctCount:
		return 0
	case LogMin:
		return math.MaxFloat64
	}
	return math.NaN()
}

// reduce is for values that are all present.
func reduce(values []float64, r Reducer) float64 {
	first, last := values[0], values[len(values)-1]
	switch r {
	case LastNotNull:
		return last
	case FirstNotNull:
		return first
	case Min:
		return slices.Min(values)
	case Max:
		return slices.Max(values)
	case Sum:
		return sum(values)
	case Mean:
		return sum(values) / float64(len(values))
	case Range:
		return slices.Max(values) - slices.Min(values)
	case Difference:
		return last - first
	case Delta:
		return delta(values)
	case Median:
		return median(values)
	case Variance:
		return variance(values)
	case StdDev:
		return math.Sqrt(variance(values))
	case LogMin:
		return logMin(values)
	case Count:
		return float64(len(values))
	case ChangeCount:
		return changes(values)
	case DistinctCount:
		return float64(len(slices.Compact(slices.Sorted(slices.Values(values)))))
	}
	return math.NaN()
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// delta adds the rises of a counter. As in Grafana, the rise after a reset is left out.
func delta(values []float64) float64 {
	total, rising := 0.0, true
	for i := 1; i < len(values); i++ {
		up := values[i] >= values[i-1]
		if up && rising {
			total += values[i] - values[i-1]
		}
		rising = up
	}
	return total
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func variance(values []float64) float64 {
	squares, mean := 0.0, 0.0
	for i, v := range values {
		before := mean
		mean += (v - before) / float64(i+1)
		squares += (v - before) * (v - mean)
	}
	return squares / float64(len(values))
}

func logMin(values []float64) float64 {
	lowest := math.MaxFloat64
	for _, v := range values {
		if v > 0 {
			lowest = min(lowest, v)
		}
	}
	return lowest
}

func percentile(values []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(jsRound(float64(len(sorted)-1)*p))]
}

func changes(values []float64) float64 {
	n := 0.0
	for i := 1; i < len(values); i++ {
		if values[i] != values[i-1] {
			n++
		}
	}
	return n
}
