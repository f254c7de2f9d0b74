package render

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// event is an annotation: a moment, or a region.
type event struct {
	from, to time.Time
	color    string
	text     string
}

// annotationStep is the distance of points of an annotation's query, where it does not say another.
const annotationStep = time.Minute

// events runs the queries of the annotations.
func (r *renderer) events(ctx context.Context) []event {
	var out []event
	for _, a := range r.dashboard.Annotations.List {
		if !a.Enable || a.BuiltIn != 0 || a.query() == "" {
			continue
		}
		least := cmp.Or(r.interval("annotation "+a.Name, a.Step), annotationStep)
		step := stepOf(r.options.To.Sub(r.options.From), float64(r.options.Width), least)
		result, err := r.annotation(ctx, a, step)
		if err != nil {
			r.report("annotation "+a.Name, err.Error())
			continue
		}
		for _, s := range result.Series {
			var moments []time.Time
			for _, v := range s.Values {
				switch {
				case string(a.UseValueForTime) == "true" || string(a.UseValueForTime) == `"on"`:
					moments = append(moments, time.UnixMilli(int64(v.Value)))
				case v.Value > 0:
					moments = append(moments, v.Timestamp.Time())
				}
			}
			if r.limits.done() {
				return out
			}
			out = append(out, regions(moments, step, a.IconColor, legend(a.TitleFormat, "", s.Metric))...)
			if len(out) > maxEvents {
				r.report("dashboard", fmt.Sprintf("more than %d annotations; the first are drawn", maxEvents))
				return out[:maxEvents]
			}
		}
	}
	return out
}

// query returns the expression, which newer files have in the target.
func (a annotation) query() string {
	var t target
	_ = json.Unmarshal(a.Target, &t) // empty if there is none
	return cmp.Or(a.Expr, t.Expr)
}

// annotation runs the query of an annotation.
func (r *renderer) annotation(ctx context.Context, a annotation, step time.Duration) (Result, error) {
	if store := r.store(a.Datasource); store != Prometheus {
		return Result{}, fmt.Errorf("annotations of %s are not supported", store)
	}
	expr, err := r.interpolate(a.query(), r.chosen, timing{step, rateInterval(step, r.scrapeInterval())}, Prometheus, setVariable)
	if err != nil {
		return Result{}, err
	}
	return r.run(ctx, Query{Store: Prometheus, Kind: Range, Expr: expr, Step: step})
}

// regions joins moments that are at most a step apart, as Grafana does.
func regions(moments []time.Time, step time.Duration, color, text string) []event {
	slices.SortFunc(moments, time.Time.Compare)
	var out []event
	for _, t := range slices.Compact(moments) {
		if n := len(out); n > 0 && !t.After(out[n-1].to.Add(step)) {
			out[n-1].to = t
			continue
		}
		out = append(out, event{t, t, color, text})
	}
	return out
}

// marks draws the annotations behind the lines of a plot.
func (r *renderer) marks(c *canvas, p plot) {
	for _, e := range r.annotations {
		color := r.theme.Color(e.color)
		from, to := p.at(float64(e.from.UnixMilli())), p.at(float64(e.to.UnixMilli()))
		if to < p.x || from > p.right() {
			continue
		}
		c.open("g")
		c.title(e.text)
		if to > from {
			c.rect(box{from, p.y, to - from, p.h}, color, "fill-opacity", "0.15")
			c.rect(box{from, p.bottom() - 1, to - from, 4}, color)
		} else {
			c.element("path", "d", "M"+num(from)+" "+num(p.bottom()-4)+"l4 5h-8z", "fill", color)
		}
		for _, x := range slices.Compact([]float64{from, to}) {
			if !math.IsNaN(x) {
				c.line(x, p.y, x, p.bottom(), color, "stroke-dasharray", "5", "stroke-width", "2")
			}
		}
		c.close("g")
	}
}
