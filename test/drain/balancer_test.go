package drain

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Headers for the preferred backend of a request and the actual one of a response.
const (
	headerWant   = "Test-Want-Backend"
	headerServed = "Test-Served-By"
)

// probeEvery is the interval of readiness probes: much shorter than the drain delay,
// as it should be in a deployment.
const probeEvery = 25 * time.Millisecond

// balancer sends each request to a ready process. It retries on another one only if
// it could not connect, so that it does not hide failed requests.
type balancer struct {
	mu       sync.Mutex
	backends map[string]*backend
	turn     int

	retries atomic.Int64 // connections that failed
}

// backend is the state of one process in the balancer.
type backend struct {
	name      string
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	ready     atomic.Bool
	stop      context.CancelFunc
}

// failure is the context key of the error of a request.
type failure struct{}

func newBalancer() *balancer { return &balancer{backends: map[string]*backend{}} }

// put adds the process, or replaces the process of this name.
func (b *balancer) put(t *testing.T, name string, p *process) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: p.api}) },
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler:  func(_ http.ResponseWriter, r *http.Request, err error) { *r.Context().Value(failure{}).(*error) = err },
	}
	next := &backend{name: name, proxy: proxy, transport: transport, stop: stop}
	next.ready.Store(true) // start waits until it is
	go next.probe(ctx, p.admin)
	b.mu.Lock()
	old := b.backends[name]
	b.backends[name] = next
	b.mu.Unlock()
	if old != nil {
		old.close()
	}
	t.Cleanup(next.close)
}

func (x *backend) close() {
	x.stop()
	x.transport.CloseIdleConnections()
}

func (x *backend) probe(ctx context.Context, admin string) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		x.ready.Store(ready(admin))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pick returns the preferred backend if it is ready, else the next one that is.
func (b *balancer) pick(want string, tried map[string]bool) *backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x := b.backends[want]; x != nil && x.ready.Load() && !tried[want] {
		return x
	}
	for range names() {
		b.turn++
		name := names()[b.turn%len(names())]
		if x := b.backends[name]; x.ready.Load() && !tried[name] {
			return x
		}
	}
	return nil
}

// ServeHTTP implements [http.Handler].
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tried := map[string]bool{}
	for {
		x := b.pick(r.Header.Get(headerWant), tried)
		if x == nil {
			http.Error(w, "no backend is ready", http.StatusServiceUnavailable)
			return
		}
		tried[x.name] = true
		w.Header().Set(headerServed, x.name)
		var failed error
		x.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), failure{}, &failed)))
		if failed == nil {
			return
		}
		if op, ok := errors.AsType[*net.OpError](failed); !ok || op.Op != "dial" {
			http.Error(w, failed.Error(), http.StatusBadGateway)
			return
		}
		b.retries.Add(1)
	}
}

func names() []string { return []string{"a", "b", "c"} }
