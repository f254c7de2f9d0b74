package verify

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

var epoch = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// seen returns the responses to requests that began at a minute, ended at a minute and got a status; 0 is none.
func seen(list ...[3]int) *responses {
	r := &responses{routes: []string{"GET /a", "GET /a/{id}", "POST /a"}}
	var end time.Time
	r.now = func() time.Time { return end }
	for _, one := range list {
		end = epoch.Add(time.Duration(one[1]) * time.Minute)
		var err error
		if one[2] == 0 {
			err = errors.New("timeout")
		}
		r.add(httptest.NewRequest(http.MethodGet, "/a/7", nil), epoch.Add(time.Duration(one[0])*time.Minute), one[2], err)
	}
	return r
}

// The true ratio is that of all requests that a scrape may have counted, at each time of an interval.
func TestRatioOfResponses(t *testing.T) {
	t.Parallel()
	every := func(string) bool { return true }
	for _, tc := range []struct {
		name      string
		responses *responses
		of        func(string) bool
		low, high float64
	}{
		{"all succeed", seen([3]int{0, 0, 200}, [3]int{1, 1, 404}), every, 0, 0},
		{"half fail", seen([3]int{0, 0, 500}, [3]int{1, 1, 200}), every, .5, .5},
		{"the ratio changes within the interval", seen([3]int{0, 0, 200}, [3]int{9, 9, 503}), every, 0, .5},
		{"a request that began later does not count", seen([3]int{0, 0, 200}, [3]int{10, 10, 500}), every, 0, 0},
		{"a response that arrived later may count", seen([3]int{0, 0, 200}, [3]int{9, 30, 500}), every, 0, .5},
		{"a response that did not arrive may be bad", seen([3]int{0, 0, 200}, [3]int{1, 1, 0}), every, 0, .5},
		{"a rejected request may be bad", seen([3]int{0, 0, 200}, [3]int{1, 1, 429}), every, 0, .5},
		{"other routes do not count", seen([3]int{0, 0, 200}), func(route string) bool { return route != "GET /a/{id}" }, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			low, high := tc.responses.ratio(tc.of, epoch.Add(8*time.Minute), epoch.Add(10*time.Minute))
			if tc.low > tc.high {
				if low <= high {
					t.Errorf("%g to %g without a response", low, high)
				}
				return
			}
			if low != tc.low || high != tc.high {
				t.Errorf("%g to %g, want %g to %g", low, high, tc.low, tc.high)
			}
		})
	}
}

func TestFailuresOfRoutes(t *testing.T) {
	t.Parallel()
	r := seen([3]int{0, 0, 500}, [3]int{5, 5, 500}, [3]int{6, 6, 200}, [3]int{7, 7, 503}, [3]int{9, 9, 500})
	r.add(httptest.NewRequest(http.MethodGet, "/unknown", nil), epoch, 500, nil)
	if got := r.failures(epoch, epoch.Add(8*time.Minute)); !maps.Equal(got, map[string]int{"GET /a/{id}": 2}) {
		t.Errorf("got %v", got)
	}
}

func TestRouteOfARequest(t *testing.T) {
	t.Parallel()
	routes := []string{"GET /v1/{kind}/{id}", "GET /v1/orders/{id}", "GET /v1/orders/latest", "POST /v1/orders"}
	for request, want := range map[string]string{"/v1/orders/latest": routes[2], "/v1/orders/7": routes[1], "/v1/carts/7": routes[0], "/v1/orders": ""} {
		if got := routeOf(routes, http.MethodGet, request); got != want {
			t.Errorf("%s is %q, want %q", request, got, want)
		}
	}
}
