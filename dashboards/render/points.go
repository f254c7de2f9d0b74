package render

import "slices"

// extent returns how many times lines have values at, and how far the first and the last are apart in pixels.
func extent(p plot, lines []*line) (count int, length float64) {
	var times []float64
	for _, l := range lines {
		times = append(times, l.times...)
	}
	slices.Sort(times)
	times = slices.Compact(times)
	if len(times) == 0 {
		return 0, 0
	}
	return len(times), p.at(times[len(times)-1]) - p.at(times[0])
}

// pointSpace is the distance in pixels that points need, as in uPlot: it depends on the line, not on the size
// of the points.
func (l *line) pointSpace() float64 {
	width := l.width()
	if width == 0 {
		width = 1
	}
	return 2 * (3 + 2*width)
}

func (l *line) width() float64 {
	if w := l.field.Config.Custom.LineWidth; w != nil {
		return *w
	}
	return 1
}
