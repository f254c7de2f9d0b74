package grafana

import "math"

// Scale is a vertical axis' configuration.
type Scale struct {
	Min, Max         *float64 // hard limits
	SoftMin, SoftMax *float64
	CenteredZero     bool
	// Decimals of 0 makes the limits whole.
	Decimals *int
	// LogBase is 10 or 2 for a logarithmic scale, 0 for a linear one.
	LogBase float64
}

// pad is the part of the data's range that an axis adds above and below, unless that crosses zero.
const pad = 0.1

// Limits returns the lowest and highest value of an axis for data between low and high, which are NaN
// without data. Ratios that are all zero have an axis to 100, which is 10,000 % as a share: Grafana's
// default for a range of nothing.
func (s Scale) Limits(low, high float64) (float64, float64) {
	if s.LogBase > 0 {
		s = s.positive()
	}
	fixedMin, fixedMax := s.SoftMin == nil && s.Min != nil, s.SoftMax == nil && s.Max != nil
	if math.IsNaN(low) && (!fixedMin || !fixedMax) {
		return math.NaN(), math.NaN()
	}
	var bottom, top float64
	if s.LogBase > 0 {
		bottom, top = logLimits(value(s.Min, low), value(s.Max, high), s.LogBase)
	} else {
		bottom, top = s.linear(low, high, fixedMin, fixedMax)
	}
	if s.Decimals != nil && *s.Decimals == 0 {
		bottom, top = math.Floor(bottom), math.Ceil(top)
		if s.LogBase > 0 {
			bottom = max(bottom, 1)
		}
	}
	if fixedMin && s.LogBase == 0 {
		bottom = *s.Min
	}
	if fixedMax && s.LogBase == 0 {
		top = *s.Max
	}
	if bottom < top {
		return bottom, top
	}
	if s.LogBase > 0 {
		return 1, 100
	}
	return 0, 100
}

// positive returns the scale without limits at or below zero, which a logarithmic axis does not have.
func (s Scale) positive() Scale {
	for _, limit := range []**float64{&s.Min, &s.Max, &s.SoftMin, &s.SoftMax} {
		if *limit != nil && **limit <= 0 {
			*limit = nil
		}
	}
	return s
}

func (s Scale) linear(low, high float64, fixedMin, fixedMax bool) (float64, float64) {
	if s.CenteredZero {
		reach := max(math.Abs(low), math.Abs(high))
		low, high = -reach, reach
	}
	if fixedMin {
		low = *s.Min
	}
	if fixedMax {
		high = *s.Max
	}
	lower := bound{hard: value(s.Min, math.Inf(-1)), soft: value(s.SoftMin, 0), always: s.SoftMin != nil}
	upper := bound{hard: value(s.Max, math.Inf(1)), soft: value(s.SoftMax, 0), always: s.SoftMax != nil}
	return pads(low, high, lower, upper)
}

func value(p *float64, other float64) float64 {
	if p != nil {
		return *p
	}
	return other
}

// bound is one end of uPlot's automatic range: a hard limit, and a soft one that holds while data is
// within it, always or only where the padding would cross it.
type bound struct {
	hard, soft float64
	always     bool
}

// What uPlot takes for data without a range.
const (
	flat        = 1e-24 // least difference
	flatPowers  = 10.0  // powers of ten by which values are larger than their difference
	flatDefault = 1e3   // the range of data that is all zero
)

// pads returns the limits of uPlot.rangeNum.
func pads(low, high float64, lower, upper bound) (float64, float64) {
	delta := high - low
	largest := max(math.Abs(low), math.Abs(high))
	if delta < flat || math.Abs(log10(largest)-log10(delta)) > flatPowers {
		delta = 0
		if low == 0 || high == 0 {
			delta = flat
		}
	}
	span := delta
	for _, other := range []float64{largest, flatDefault} {
		if span == 0 {
			span = other
		}
	}
	step := pow10(int(math.Floor(log10(span)))) / 10
	padding := func(edge float64) float64 {
		switch {
		case delta != 0:
			return span * pad
		case edge == 0:
			return span * .1
		}
		return span
	}

	bottom := roundDecimals(stepDown(low-padding(low), step), 24)
	soft := math.Inf(1)
	if low >= lower.soft && (lower.always || bottom <= lower.soft) {
		soft = lower.soft
	}
	if bottom < soft && low >= soft {
		bottom = soft
	} else {
		bottom = min(soft, bottom)
	}
	bottom = max(lower.hard, bottom)

	top := roundDecimals(stepUp(high+padding(high), step), 24)
	soft = math.Inf(-1)
	if high <= upper.soft && (upper.always || top >= upper.soft) {
		soft = upper.soft
	}
	if top > soft && high <= soft {
		top = soft
	} else {
		top = max(soft, top)
	}
	top = min(upper.hard, top)

	if bottom == 0 && top == 0 {
		top = 100
	}
	return bottom, top
}

// logLimits returns whole powers of the base around the data.
func logLimits(low, high, base float64) (float64, float64) {
	if low == high {
		if low < 0 {
			low, high = low*base, high/base
		} else {
			low, high = low/base, high*base
		}
	}
	exponent := func(v float64, away bool) float64 {
		l := math.Log2(math.Abs(v))
		if base == 10 {
			l = log10(math.Abs(v))
		}
		if away {
			return math.Ceil(l)
		}
		return math.Floor(l)
	}
	power := func(v float64, away bool) float64 {
		if v == 0 || math.IsNaN(v) {
			return 0
		}
		p := math.Pow(base, exponent(v, away))
		if base == 10 {
			p = pow10(int(exponent(v, away)))
		}
		return math.Copysign(p, v)
	}
	return power(low, low < 0), power(high, high > 0)
}
