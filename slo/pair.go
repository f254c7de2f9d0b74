package slo

import (
	"math/big"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// Pair is a long window that says a budget is in danger and a short one that
// says it still is.
type Pair struct {
	Tier        Tier
	Long, Short time.Duration
	// Share is the percentage of the period's budget that is spent when the long
	// window has just filled at the factor.
	Share int64
}

// pairs are the windows of the Site Reliability Workbook, chapter 5, table 5-8.
// Its factors (14.4, 6, 3, 1) are these shares of a 30-day budget; other
// periods keep the shares, so that an alert means the same.
func pairs() []Pair {
	return []Pair{
		{Tier: TierPage, Long: time.Hour, Short: 5 * time.Minute, Share: 2},
		{Tier: TierPage, Long: 6 * time.Hour, Short: 30 * time.Minute, Share: 5},
		{Tier: TierTicket, Long: day, Short: 2 * time.Hour, Share: 10},
		{Tier: TierTicket, Long: 3 * day, Short: 6 * time.Hour, Share: 10},
	}
}

// Factor is how many times faster than allowed the budget burns when an alert
// of the pair fires.
func (p Pair) Factor(w Window) *big.Rat {
	share := big.NewRat(p.Share, 100)
	return share.Mul(share, big.NewRat(int64(w.Duration()), int64(p.Long)))
}

// threshold is the error ratio above which the pair fires. It is an alert that
// can fire only while it is below 1: no error ratio is above.
func (p Pair) threshold(w Window, budget *big.Rat) *big.Rat {
	factor := p.Factor(w)
	return factor.Mul(factor, budget)
}

// suits says whether the period is long enough for the pair. Three days of seven
// at 0.23 times the budget would be a ticket for a good week, and so would three
// of fourteen at 0.47.
func (p Pair) suits(w Window) bool { return p.Long*7 <= w.Duration() }

// LongWindow is the long window as labels and series name it: 1h, 3d.
func (p Pair) LongWindow() string { return window(p.Long) }

// ShortWindow is the short window as labels and series name it: 5m, 6h.
func (p Pair) ShortWindow() string { return window(p.Short) }

// window writes a duration as windows are named: 5m, 1h, 30d. Prometheus would
// write 28 days as 4w.
func window(d time.Duration) string {
	if d > 0 && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return model.Duration(d).String()
}

// Intervals of the groups, and lengths of their increases. Both stay below the five
// minutes that an instant query looks back.
const (
	pageInterval   = 30 * time.Second
	ticketInterval = 2 * time.Minute
)
