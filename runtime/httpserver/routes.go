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

// routeTable holds the series of every known route. Reading takes no lock.
type routeTable struct {
	metrics *metrics

	mu     sync.Mutex // for writers
	routes atomic.Pointer[map[routeKey]*series]
	// procedures says whether any is declared, so that a path is looked up only then.
	procedures atomic.Bool

	noted     []routeKey      // of Routes; guarded by mu
	set       map[string]bool // undeclared routes of SetRoute; guarded by mu
	setIsFull atomic.Bool
}

type routeKey struct{ method, route string }

// kind is what is known of a route beforehand. Of two declarations the later kind
// holds.
type kind uint8

const (
	seen kind = iota // not declared, but found while serving
	plain
	procedure       // the route is a path, called by RPC
	streamProcedure // the same, and takes or gives a stream
)

func newRouteTable(m *metrics) *routeTable {
	t := &routeTable{metrics: m, set: map[string]bool{}}
	t.routes.Store(&map[routeKey]*series{})
	return t
}

// declare makes the counters of one route exist at zero.
func (t *routeTable) declare(method, route string) {
	t.add(routeKey{method, route}, plain)
}

// note keeps a declared route to be matched.
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

// declareProcedure declares a route that is one path.
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

// list returns the known routes as "GET /v1/orders", sorted, without the
// unmatched one.
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

// walk declares every route that a chi router lists, and notes the patterns of the
// routers that are mounted in it.
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

// anyMethod is chi's name for a handler registered without a method.
const anyMethod = "*"

// isMount reports whether the route is a handler of another kind mounted below a
// path. It cannot list its methods, so its series exist from its first request on.
func isMount(route chi.Route) bool {
	_, isAny := route.Handlers[anyMethod]
	return isAny && strings.HasSuffix(route.Pattern, anyMethod)
}

// serves leaves out the methods that no page, client or probe sends to a
// handler that was registered for all of them.
func serves(route chi.Route, method string) bool {
	if _, isAny := route.Handlers[anyMethod]; !isAny {
		return true
	}
	return method != http.MethodConnect && method != http.MethodTrace && method != http.MethodOptions
}

// normalize drops the slash at the end, as chi does when it reports a pattern.
func normalize(route string) string {
	if route == "/" {
		return route
	}
	return strings.TrimSuffix(route, "/")
}

// fromPattern takes method and host off a pattern of http.ServeMux.
func fromPattern(pattern string) string {
	i := strings.IndexByte(pattern, '/')
	if i < 0 {
		return ""
	}
	return normalize(strings.TrimSuffix(pattern[i:], "{$}"))
}

// series are the metric children of one route and method. They are resolved
// once, so that a request hashes no label.
type series struct {
	key      routeKey
	kind     kind
	spanName string
	metrics  *metrics
	counters []prometheus.Counter // in the order of semconv.Outcomes

	mu        sync.Mutex // for writers
	durations atomic.Pointer[[]*duration]
}

// duration is the histogram child of one status and outcome.
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

// counter returns the counter of an outcome that facts.outcome gave.
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

// duration returns the histogram of a status and outcome. A route has two or
// three of them, which are found faster in a list than in a map.
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
