package httpserver

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// routeTable has the series of every known route. Reads take no lock.
type routeTable struct {
	metrics *metrics

	mu     sync.Mutex // for writers
	routes atomic.Pointer[map[routeKey]*series]
	// procedures reports whether any procedure is declared. Without one, paths are not looked up.
	procedures atomic.Bool

	noted     []routeKey      // of Routes; guarded by mu
	set       map[string]bool // undeclared routes of SetRoute; guarded by mu
	setIsFull atomic.Bool
}

type routeKey struct{ method, route string }

// kind is what was declared about a route. The last declaration applies.
type kind uint8

const (
	seen kind = iota // not declared, found while serving
	plain
	procedure       // called by RPC; the route is the path
	streamProcedure // a procedure with a request or response stream
)

func newRouteTable(m *metrics) *routeTable {
	t := &routeTable{metrics: m, set: map[string]bool{}}
	t.routes.Store(&map[routeKey]*series{})
	return t
}

func (t *routeTable) declare(method, route string) {
	t.add(routeKey{method, route}, plain)
}

// note adds a declared route to those that requests are matched against.
func (t *routeTable) note(key routeKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noted = append(t.noted, key)
}

// hasProcedures reports whether clients may need HTTP/2.
func (t *routeTable) hasProcedures() bool {
	for _, s := range *t.routes.Load() {
		if s.kind >= procedure {
			return true
		}
	}
	return false
}

func (t *routeTable) declareProcedure(method, path string, kind kind) {
	t.add(routeKey{method, path}, kind)
	t.procedures.Store(true)
}

func (t *routeTable) add(key routeKey, kind kind) *series {
	t.mu.Lock()
	defer t.mu.Unlock()
	have := *t.routes.Load()
	if s, ok := have[key]; ok && s.kind >= kind {
		return s
	}
	next := maps.Clone(have)
	s := newSeries(t.metrics, key)
	s.kind = kind
	next[key] = s
	t.routes.Store(&next)
	return s
}

// list returns the known routes, such as "GET /v1/orders", sorted, without the unmatched route.
func (t *routeTable) list() []string {
	var out []string
	for key := range *t.routes.Load() {
		if key.route != semconv.RouteUnmatched {
			out = append(out, key.method+" "+key.route)
		}
	}
	slices.Sort(out)
	return out
}

// procedure returns the series of the procedure that the request calls, or nil.
func (t *routeTable) procedure(r *http.Request) *series {
	if !t.procedures.Load() {
		return nil
	}
	if s := (*t.routes.Load())[routeKey{r.Method, r.URL.Path}]; s != nil && s.kind >= procedure {
		return s
	}
	return nil
}

// walk declares every route of a chi router, and adds the patterns of mounted routers to mounts.
func (t *routeTable) walk(router chi.Routes, prefix string, mounts map[string]bool) {
	for _, route := range router.Routes() {
		full := strings.ReplaceAll(prefix+route.Pattern, "/*/", "/")
		if route.SubRoutes != nil {
			mounts[normalize(full)] = true
			t.walk(route.SubRoutes, strings.TrimSuffix(full, "/*"), mounts)
			continue
		}
		if isMount(route) {
			continue
		}
		for method := range route.Handlers {
			if method != anyMethod && serves(route, method) {
				t.declare(methodLabel(method), normalize(full))
			}
		}
	}
}

// anyMethod is chi's name for a handler registered for all methods.
const anyMethod = "*"

// isMount reports whether the route is a mounted handler of another kind. Its methods are
// unknown, so its series exist from its first request.
func isMount(route chi.Route) bool {
	_, isAny := route.Handlers[anyMethod]
	return isAny && strings.HasSuffix(route.Pattern, anyMethod)
}

// serves reports whether to declare the method. It excludes methods that clients do not send to a
// handler registered for all methods.
func serves(route chi.Route, method string) bool {
	if _, isAny := route.Handlers[anyMethod]; !isAny {
		return true
	}
	return method != http.MethodConnect && method != http.MethodTrace && method != http.MethodOptions
}

// normalize removes the trailing slash, as chi does in patterns.
func normalize(route string) string {
	if route == "/" {
		return route
	}
	return strings.TrimSuffix(route, "/")
}

// fromPattern removes method and host from a pattern of http.ServeMux.
func fromPattern(pattern string) string {
	i := strings.IndexByte(pattern, '/')
	if i < 0 {
		return ""
	}
	return normalize(strings.TrimSuffix(pattern[i:], "{$}"))
}

// series are the metrics of one route and method. They are resolved once, so that a request
// hashes no label.
type series struct {
	key      routeKey
	kind     kind
	spanName string
	metrics  *metrics
	counters []prometheus.Counter // in the order of semconv.Outcomes

	mu        sync.Mutex // for writers
	durations atomic.Pointer[[]*duration]
}

type duration struct {
	status    int
	outcome   string
	observer  prometheus.Observer
	exemplar  prometheus.ExemplarObserver
	exemplars throttle
}

func newSeries(m *metrics, key routeKey) *series {
	s := &series{key: key, spanName: spanName(key), metrics: m}
	s.durations.Store(&[]*duration{})
	for _, outcome := range semconv.Outcomes() {
		counter := m.requests.WithLabelValues(key.method, key.route, outcome)
		if key.route != semconv.RouteUnmatched {
			counter.Add(0)
		}
		s.counters = append(s.counters, counter)
	}
	return s
}

func spanName(key routeKey) string {
	method := key.method
	if method == semconv.MethodOther {
		method = "HTTP"
	}
	if key.route == semconv.RouteUnmatched {
		return method
	}
	return method + " " + key.route
}

func (s *series) counter(outcome string) prometheus.Counter {
	switch outcome {
	case semconv.OutcomeSuccess:
		return s.counters[0]
	case semconv.OutcomeClientError:
		return s.counters[1]
	case semconv.OutcomeServerError:
		return s.counters[2]
	}
	return s.counters[3]
}

// duration returns the histogram of a status and outcome. A route has two or three, which a list
// finds faster than a map.
func (s *series) duration(status int, outcome string) *duration {
	if d := findDuration(*s.durations.Load(), status, outcome); d != nil {
		return d
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	have := *s.durations.Load()
	if d := findDuration(have, status, outcome); d != nil {
		return d
	}
	observer := s.metrics.duration(s.key, status, outcome)
	d := &duration{status: status, outcome: outcome, observer: observer, exemplar: observer.(prometheus.ExemplarObserver)}
	next := append(slices.Clone(have), d)
	s.durations.Store(&next)
	return d
}

func findDuration(list []*duration, status int, outcome string) *duration {
	for _, d := range list {
		if d.status == status && d.outcome == outcome {
			return d
		}
	}
	return nil
}
