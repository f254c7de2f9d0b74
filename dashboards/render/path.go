package render

import (
	"math"
	"strings"
)

// Distances in pixels that simplify may move a line, which nobody sees.
const (
	fine   = 0.25
	coarse = 0.8
)

// simplify leaves out points that are near the line between their neighbors (Douglas and Peucker).
func simplify(points []point, tolerance float64) []point {
	if len(points) < 3 {
		return points
	}
	keep := make([]bool, len(points))
	keep[0], keep[len(points)-1] = true, true
	type span struct{ from, to int }
	for todo := []span{{0, len(points) - 1}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		worst, at := tolerance, -1
		for i := s.from + 1; i < s.to; i++ {
			if off := distance(points[i], points[s.from], points[s.to]); off > worst {
				worst, at = off, i
			}
		}
		if at > 0 {
			keep[at] = true
			todo = append(todo, span{s.from, at}, span{at, s.to})
		}
	}
	out := points[:0:0]
	for i, k := range keep {
		if k {
			out = append(out, points[i])
		}
	}
	return out
}

// distance is that of p to the line through a and b, or to a if they are equal.
func distance(p, a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	length := math.Hypot(dx, dy)
	if length == 0 {
		return math.Hypot(p.x-a.x, p.y-a.y)
	}
	return math.Abs(dy*(p.x-a.x)-dx*(p.y-a.y)) / length
}

// pathOf writes points as a path, relative to each other since that is shorter.
func pathOf(points []point) string {
	var b strings.Builder
	var x, y float64 // as written, so that rounding does not add up
	round := func(v float64) float64 { return math.Round(v*10) / 10 }
	for i, p := range points {
		px, py := round(p.x), round(p.y)
		switch {
		case i == 0:
			b.WriteString("M" + num(px) + " " + num(py))
		case py == y:
			b.WriteString("h" + num(px-x))
		case px == x:
			b.WriteString("v" + num(py-y))
		default:
			dy := num(py - y)
			if !strings.HasPrefix(dy, "-") {
				dy = " " + dy
			}
			b.WriteString("l" + num(px-x) + dy)
		}
		x, y = px, py
	}
	return b.String()
}
