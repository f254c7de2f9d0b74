package render

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// minInterval is Grafana's default scrape interval of a Prometheus data source.
const minInterval = 15 * time.Second

// maxInterval is the longest interval of a query: sums of some do not overflow.
const maxInterval = 10 * 365 * 24 * time.Hour

func (r *renderer) scrapeInterval() time.Duration {
	if r.options.ScrapeInterval > 0 {
		return min(r.options.ScrapeInterval, maxInterval)
	}
	return minInterval
}

// timing is the distance of the points of a query and its $__rate_interval, in which a rate has enough points.
type timing struct{ step, rate time.Duration }

// plain is the timing of texts.
func (r *renderer) plain() timing {
	scrape := r.scrapeInterval()
	return timing{scrape, rateInterval(scrape, scrape)}
}

func rateInterval(step, scrape time.Duration) time.Duration { return max(step+scrape, 4*scrape) }

// timing returns the timing of a query that is drawn at a width. The interval of the query replaces the scrape
// interval, that of its panel only limits the step, and a factor multiplies it.
func (r *renderer) timing(p *panel, t target, width float64) timing {
	where, scrape := "panel "+p.Title, r.scrapeInterval()
	least := cmp.Or(r.interval(where, p.Interval), scrape)
	own := strings.Trim(t.Interval, "${}")
	if own != "__rate_interval" && own != "__interval" {
		if d := r.interval(where, t.Interval); d > 0 {
			least, scrape = d, d
		}
	}
	points := width
	if p.MaxDataPoints > 0 {
		points = p.MaxDataPoints
	}
	step := stepOf(r.options.To.Sub(r.options.From), points, least)
	const most = 1000 // of a factor
	rate := rateInterval(step, scrape)
	step = time.Duration(float64(step) * min(max(t.IntervalFactor, 1), most))
	switch own {
	case "__rate_interval":
		step = rate
	case "__interval":
		rate = rateInterval(step, step)
	}
	return timing{step, rate}
}

// interval parses the interval of a panel, query or annotation: a duration or seconds, with variables, and maybe
// after a sign. It returns 0 for none and reports what it cannot parse.
func (r *renderer) interval(where, text string) time.Duration {
	filled := strings.TrimLeft(strings.TrimSpace(r.text(text)), "<>")
	if filled == "" {
		return 0
	}
	if _, err := strconv.Atoi(filled); err == nil {
		filled += "s"
	}
	d, err := model.ParseDuration(filled)
	if err != nil {
		r.report(where, fmt.Sprintf("interval %q is not a duration such as 1m; it is left out", text))
		return 0
	}
	return min(time.Duration(d), maxInterval)
}

func promDuration(d time.Duration) string { return model.Duration(d).String() }

// maxPoints is the number of points that Prometheus returns at most for a series.
const maxPoints = 11_000

// stepOf returns the distance of points in a graph of a width in pixels: Grafana's rounded interval, not
// shorter than the least one.
func stepOf(span time.Duration, pixels float64, least time.Duration) time.Duration {
	if pixels < 1 {
		pixels = 1
	}
	s := rounded(time.Duration(float64(span) / pixels))
	if safe := rounded(span / maxPoints); span/max(s, 1) > maxPoints {
		s = safe
	}
	return max(s, least)
}

// rounded rounds an interval as Grafana does: to the length in the second column if it is at most the
// first.
func rounded(d time.Duration) time.Duration {
	const day = 24 * time.Hour
	for _, r := range [][2]time.Duration{
		{10 * time.Millisecond, time.Millisecond}, {15 * time.Millisecond, 10 * time.Millisecond}, {35 * time.Millisecond, 20 * time.Millisecond},
		{75 * time.Millisecond, 50 * time.Millisecond}, {150 * time.Millisecond, 100 * time.Millisecond}, {350 * time.Millisecond, 200 * time.Millisecond},
		{750 * time.Millisecond, 500 * time.Millisecond}, {1500 * time.Millisecond, time.Second}, {3500 * time.Millisecond, 2 * time.Second},
		{7500 * time.Millisecond, 5 * time.Second}, {12500 * time.Millisecond, 10 * time.Second}, {17500 * time.Millisecond, 15 * time.Second},
		{25 * time.Second, 20 * time.Second}, {45 * time.Second, 30 * time.Second}, {90 * time.Second, time.Minute}, {210 * time.Second, 2 * time.Minute},
		{450 * time.Second, 5 * time.Minute}, {750 * time.Second, 10 * time.Minute}, {1050 * time.Second, 15 * time.Minute},
		{1500 * time.Second, 20 * time.Minute}, {2700 * time.Second, 30 * time.Minute}, {5400 * time.Second, time.Hour}, {9000 * time.Second, 2 * time.Hour},
		{16200 * time.Second, 3 * time.Hour}, {32400 * time.Second, 6 * time.Hour}, {86400 * time.Second, 12 * time.Hour},
		{7 * day, day}, {21 * day, 7 * day}, {42 * day, 30 * day},
	} {
		if d <= r[0] {
			return r[1]
		}
	}
	return 365 * day
}
