package verify

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// response is one response as its client saw it.
type response struct {
	began, at time.Time // simulated times of the last scrapes before its start and its end
	route     string    // declared, such as "GET /v1/orders"
	bad       bool
	// unclear is a response that may count as bad: none arrived, or it has status 429, with which services
	// reject both overload and the excess of one client.
	unclear bool
}

// responses are what clients saw. They are counted apart from the metrics of the service, so that what
// dashboards show can be compared with them.
type responses struct {
	now    func() time.Time // simulated; nil counts nothing
	routes []string

	mu  sync.Mutex
	all []response
}

// time returns the simulated time of the last scrape.
func (r *responses) time() time.Time {
	if r.now == nil {
		return time.Time{}
	}
	return r.now()
}

// add counts the response to a request that began at a simulated time. Requests that no declared route matches are not part of any objective.
func (r *responses) add(req *http.Request, began time.Time, status int, err error) {
	if r.now == nil {
		return
	}
	route := routeOf(r.routes, req.Method, req.URL.Path)
	if route == "" {
		return
	}
	one := response{began, r.now(), route, err == nil && status >= http.StatusInternalServerError, err != nil || status == http.StatusTooManyRequests}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// routeOf returns the declared route of a request: the one with the fewest placeholders.
func routeOf(routes []string, method, path string) string {
	best := ""
	for _, route := range routes {
		if routeServes(route, method, path) && (best == "" || strings.Count(route, "{") < strings.Count(best, "{")) {
			best = route
		}
	}
	return best
}

// failures counts the bad responses of each route after from, until to.
func (r *responses) failures(from, to time.Time) map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]int{}
	for _, one := range r.all {
		if one.bad && one.at.After(from) && !one.at.After(to) {
			out[one.route]++
		}
	}
	return out
}

// ratio returns the bounds of the ratio of bad responses of routes since the start, at each time between from and at,
// as a scrape at that time may have counted them: the service counts a response before its client does, but not
// before the request began. Without a response, low is above high.
func (r *responses) ratio(of func(route string) bool, from, at time.Time) (low, high float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	inOrder := slices.SortedStableFunc(slices.Values(r.all), func(a, b response) int { return a.at.Compare(b.at) })
	var all, bad, unclear float64
	low, high = math.Inf(1), math.Inf(-1)
	note := func() {
		if all > 0 {
			low, high = min(low, bad/all), max(high, (bad+unclear)/all)
		}
	}
	for _, one := range inOrder {
		if !of(one.route) || !one.began.Before(at) {
			continue
		}
		if one.at.After(from) {
			note()
		}
		all++
		if one.bad {
			bad++
		}
		if one.unclear {
			unclear++
		}
	}
	note()
	return low, high
}
