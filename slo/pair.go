package slo

import (
	"math/big"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// Pair is the two windows of a burn alert. The long one shows that the error budget is at
// risk, the short one that it still is.
type Pair struct {
	Tier        Tier
	Long, Short time.Duration
	// Share is the percentage of the error budget that is spent when the burn rate has
	// been at the threshold for the long window.
	Share int64
}

// Pairs returns the windows of the Site Reliability Workbook, chapter 5, table 5-8. Its burn
// rates (14.4, 6, 3, 1) follow from these shares of a budget of 30 days. Other periods have
// the same shares and other burn rates.
func Pairs() []Pair {
	return []Pair{
		{Tier: TierPage, Long: time.Hour, Short: 5 * time.Minute, Share: 2},
		{Tier: TierPage, Long: 6 * time.Hour, Short: 30 * time.Minute, Share: 5},
		{Tier: TierTicket, Long: day, Short: 2 * time.Hour, Share: 10},
		{Tier: TierTicket, Long: 3 * day, Short: 6 * time.Hour, Share: 10},
	}
}

// Factor returns the burn rate above which the alert fires.
func (p Pair) Factor(w Window) *big.Rat {
	share := big.NewRat(p.Share, 100)
	return share.Mul(share, big.NewRat(int64(w.Duration()), int64(p.Long)))
}

// threshold returns the error ratio above which the alert fires. At 1 or more, it can never
// fire.
func (p Pair) threshold(w Window, budget *big.Rat) *big.Rat {
	factor := p.Factor(w)
	return factor.Mul(factor, budget)
}

// Suits reports whether the period is long enough for the pair. Three days would have a burn
// rate of 0.23 for a period of 7 days and 0.47 for 14 days, so that good weeks would have
// tickets.
func (p Pair) Suits(w Window) bool { return p.Long*7 <= w.Duration() }

// LongWindow returns the long window as in labels and series, such as 1h.
func (p Pair) LongWindow() string { return window(p.Long) }

// ShortWindow returns the short window as in labels and series, such as 5m.
func (p Pair) ShortWindow() string { return window(p.Short) }

// window formats a duration as 5m, 1h or 30d. The formatter of Prometheus would write 28
// days as 4w.
func window(d time.Duration) string {
	if d > 0 && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return model.Duration(d).String()
}

// Intervals of the groups, and lengths of their increases. Both must be below the lookback
// of instant queries, five minutes.
const (
	pageInterval   = 30 * time.Second
	ticketInterval = 2 * time.Minute
)
