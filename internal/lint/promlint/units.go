package promlint

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Unit is the unit of a result: powers of bytes and seconds, and a scale. A plain number has
// neither bytes nor seconds.
type Unit struct {
	Bytes, Seconds int
	Scale          float64 // 1000 of seconds are milliseconds
	// Number tells a count of things from a ratio, if there are neither bytes nor seconds.
	Number bool
	// Guessed means that a name does not determine the unit, such as one without a unit that was
	// assumed to count things.
	Guessed bool
	// MayBeRate means that only the name of a gauge says bytes, which may be bytes per second.
	MayBeRate bool
}

func countUnit() Unit      { return Unit{Scale: 1, Number: true} }
func ratio() Unit          { return Unit{Scale: 1} }
func (u Unit) plain() bool { return u.Bytes == 0 && u.Seconds == 0 }
func (u Unit) same(o Unit) bool {
	return u.Bytes == o.Bytes && u.Seconds == o.Seconds && u.Scale == o.Scale
}

// String returns the name of the unit, empty for unusual ones.
func (u Unit) String() string {
	name := map[[2]int]string{
		{0, 0}: "a ratio", {0, 1}: "seconds", {1, 0}: "bytes", {1, -1}: "bytes per second", {0, -1}: "a number per second",
	}[[2]int{u.Bytes, u.Seconds}]
	switch {
	case u.plain() && u.Scale == 100:
		return "percent"
	case u.plain() && u.Number:
		return "a number"
	case u.Seconds == 1 && u.Bytes == 0 && u.Scale == 1000:
		return "milliseconds"
	case u.Seconds == -1 && u.Bytes == 1 && u.Scale == 8:
		return "bits per second"
	case u.Seconds == 0 && u.Bytes == 1 && u.Scale == 8:
		return "bits"
	}
	return name
}

// UnitOf returns the unit of an expression's result. It is not ok if the unit of any part is
// unknown.
func (w World) UnitOf(e parser.Expr) (Unit, bool) {
	u, ok := w.unitOf(e)
	return u, ok && u.String() != "" && u.usual()
}

// usual reports whether the scale is a common one. Other factors may have any meaning.
func (u Unit) usual() bool {
	switch u.Scale {
	case 1:
		return true
	case 8:
		return u.Bytes == 1
	case 100:
		return u.plain()
	case 1000:
		return u.Seconds == 1 && u.Bytes == 0
	}
	return false
}

func (w World) unitOf(e parser.Expr) (Unit, bool) {
	switch n := bare(e).(type) {
	case *parser.VectorSelector:
		return w.unitOfSelector(n)
	case *parser.MatrixSelector:
		return w.unitOf(n.VectorSelector)
	case *parser.SubqueryExpr:
		return w.unitOf(n.Expr)
	case *parser.UnaryExpr:
		return w.unitOf(n.Expr)
	case *parser.AggregateExpr:
		return w.unitOfAggregate(n)
	case *parser.BinaryExpr:
		return w.unitOfBinary(n)
	case *parser.Call:
		return w.unitOfCall(n)
	}
	return Unit{}, false
}

func (w World) unitOfSelector(s *parser.VectorSelector) (Unit, bool) {
	name := Name(s)
	if m, found := w.Metrics[name]; found {
		if m.Type == declared.Histogram {
			return Unit{}, false // a native histogram has no single value
		}
		return w.unitOfName(name, m)
	}
	records := w.recordsOf(s)
	if len(records) == 0 {
		if (w.Metrics == nil || w.OtherMetrics) && !strings.Contains(name, ":") {
			return w.unitOfName(name, Metric{})
		}
		return Unit{}, false
	}
	first, sure := w.unitOfRecord(records[0])
	for _, r := range records[1:] {
		if u, known := w.unitOfRecord(r); !known || u != first {
			return Unit{}, false
		}
	}
	return first, sure
}

func (w World) unitOfRecord(r *recorded) (Unit, bool) {
	if r.Tree == nil || r.measured == underWay {
		return Unit{}, false
	}
	if r.measured == fresh {
		r.measured = underWay
		r.unit, r.sure = w.unitOf(r.Tree)
		r.measured = done
	}
	return r.unit, r.sure
}

// unitOfName derives the unit from a metric name: its last word before _total. A declared metric
// without a unit counts things. A unit in the middle of a name may have another meaning.
func (w World) unitOfName(name string, m Metric) (Unit, bool) {
	if m.Flag {
		return ratio(), true
	}
	part := strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_count") && m.Type == declared.Counter
	if part {
		return countUnit(), true
	}
	base := strings.TrimSuffix(strings.TrimSuffix(name, "_total"), "_sum")
	isGauge := base == name && m.Type != declared.Counter
	switch {
	case isGauge && isSpeed(base):
		return Unit{}, false // bytes may be bytes per second
	case strings.HasSuffix(base, "_timestamp_seconds"), strings.HasSuffix(base, "_time_seconds") && m.Type != declared.Counter && !strings.HasSuffix(name, "_total"):
		return Unit{}, false // a date or a duration
	case strings.HasSuffix(base, "_seconds"), m.Unit == "seconds":
		return Unit{Seconds: 1, Scale: 1}, true
	case strings.HasSuffix(base, "_milliseconds"), strings.HasSuffix(base, "_ms"):
		return Unit{Seconds: 1, Scale: 1000}, true
	case m.Unit == "bytes":
		return Unit{Bytes: 1, Scale: 1}, true
	case strings.HasSuffix(base, "_bytes"):
		return Unit{Bytes: 1, Scale: 1, MayBeRate: isGauge}, true
	case strings.HasSuffix(base, "_ratio"), m.Unit == "ratio":
		u := ratio()
		u.Guessed = w.OtherMetrics && m.Unit == "" // some exporters expose percent
		return u, true
	case m.Unit != "", amount(base), unitInside(base) && w.OtherMetrics:
		return Unit{}, false
	case strings.HasSuffix(name, "_total"):
		u := countUnit()
		u.Guessed = w.OtherMetrics
		return u, true
	}
	return Unit{}, false
}

// isSpeed reports whether a name is of a rate, such as node_network_speed_bytes.
func isSpeed(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "_"), func(word string) bool {
		return slices.Contains([]string{"speed", "rate", "bandwidth", "throughput"}, word)
	})
}

// unitInside reports whether a word of a name is a unit.
func unitInside(name string) bool {
	words := strings.Split(strings.ToLower(name), "_")
	return slices.ContainsFunc([]string{"bytes", "byte", "bits", "octets", "seconds", "second", "milliseconds", "ms", "microseconds", "nanoseconds"}, func(unit string) bool {
		return slices.Contains(words, unit)
	})
}

// amount reports whether a name without a unit is of a quantity that has one, such as
// windows_cpu_time_total.
func amount(name string) bool {
	return slices.ContainsFunc([]string{"_time", "_duration", "_latency", "_size", "_usage", "_energy", "_cost"}, func(word string) bool {
		return strings.HasSuffix(name, word)
	})
}

func (w World) unitOfAggregate(n *parser.AggregateExpr) (Unit, bool) {
	switch n.Op {
	case parser.COUNT, parser.GROUP, parser.COUNT_VALUES:
		return countUnit(), true
	case parser.STDVAR:
		return Unit{}, false
	case parser.SUM:
		u, ok := w.unitOf(n.Expr)
		return u, ok && (!u.plain() || u.Number) // a sum of ratios is not a ratio
	}
	return w.unitOf(n.Expr)
}

func (w World) unitOfBinary(n *parser.BinaryExpr) (Unit, bool) {
	switch {
	case n.Op.IsComparisonOperator():
		if n.ReturnBool || n.LHS.Type() == parser.ValueTypeScalar {
			return Unit{}, false
		}
		return w.unitOf(n.LHS)
	case n.Op == parser.LAND || n.Op == parser.LUNLESS:
		return w.unitOf(n.LHS)
	}
	if factor, ok := literal(n.RHS); ok {
		return w.scaled(n, n.LHS, factor)
	}
	if factor, ok := literal(n.LHS); ok && n.Op != parser.DIV {
		return w.scaled(n, n.RHS, factor)
	}
	l, okL := w.unitOf(n.LHS)
	r, okR := w.unitOf(n.RHS)
	if !okL || !okR {
		return Unit{}, false
	}
	switch n.Op {
	case parser.ADD, parser.SUB, parser.LOR:
		l.Number = l.Number && r.Number
		l.Guessed, l.MayBeRate = l.Guessed || r.Guessed, l.MayBeRate || r.MayBeRate
		return l, l.same(r)
	case parser.DIV:
		out := Unit{Bytes: l.Bytes - r.Bytes, Seconds: l.Seconds - r.Seconds, Scale: l.Scale / r.Scale, Guessed: l.Guessed || r.Guessed, MayBeRate: l.MayBeRate != r.MayBeRate}
		// A quotient of different things may be a number; one of seconds, or of things of the same
		// kind, is a ratio.
		return out, !out.plain() || l.same(r) && l.Number == r.Number
	}
	return Unit{}, false
}

// scaled returns the unit of an operation with a number.
func (w World) scaled(n *parser.BinaryExpr, e parser.Expr, factor float64) (Unit, bool) {
	u, ok := w.unitOf(e)
	if !ok || u.Number && factor != 0 && factor != 1 {
		return Unit{}, false // a count over the expected count is a ratio
	}
	switch n.Op {
	case parser.ADD, parser.SUB:
		return u, u.plain() && !u.Number && u.Scale == 1
	case parser.MUL:
		if factor != 0 { // zero keeps the unit
			u.Scale *= factor
		}
		return u, true
	case parser.DIV:
		if factor == 0 {
			return Unit{}, false
		}
		u.Scale /= factor
		return u, true
	}
	return Unit{}, false
}

func (w World) unitOfCall(n *parser.Call) (Unit, bool) {
	switch n.Func.Name {
	case "rate", "irate", "deriv":
		u, ok := w.unitOf(n.Args[0])
		u.Seconds--
		u.Number = false
		u.MayBeRate = u.MayBeRate && n.Func.Name == "deriv" // rate and irate are for counters
		return u, ok
	case "histogram_quantile":
		return w.unitOfBuckets(n.Args[1])
	case "histogram_fraction":
		return ratio(), true
	case "count_over_time", "resets", "changes":
		return countUnit(), true
	case "increase", "delta", "idelta", "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "sort", "sort_desc",
		"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time", "label_replace", "label_join", "scalar", "vector":
		return w.unitOf(n.Args[0])
	case "quantile_over_time":
		return w.unitOf(n.Args[1])
	}
	return Unit{}, false
}

// unitOfBuckets returns the unit of a histogram's observations.
func (w World) unitOfBuckets(e parser.Expr) (Unit, bool) {
	all := Selectors(e)
	if len(all) != 1 {
		return Unit{}, false
	}
	name := strings.TrimSuffix(Name(all[0]), "_bucket")
	m := w.Metrics[name]
	m.Type = unknown
	if name == semconv.Up || strings.Contains(name, ":") {
		return Unit{}, false
	}
	return w.unitOfName(name, m)
}
