package runtime_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// page is a response that fills all buffers between a service and a client that does not read, if
// requested several times.
var page = strings.Repeat("x", 200<<10)

// attacked has a route that reads nothing, one that reads a body, and one that responds with a
// page.
func attacked(ctx context.Context, svc *runtime.Service) error {
	router := httpserver.NewRouter()
	router.Get("/ordinary", func(http.ResponseWriter, *http.Request) {})
	router.Get("/page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	router.Get("/framework", func(w http.ResponseWriter, _ *http.Request) { // as frameworks that encode directly to the client
		if _, err := io.WriteString(w, page); err != nil {
			panic(fmt.Sprintf("error marshaling response: %s", err))
		}
	})
	router.Post("/orders", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusInternalServerError) // as a careless handler
		}
	})
	svc.Handle(router)
	return svc.Run(ctx)
}

// ordinary sends ordinary requests from 16 clients and returns the number without status 200.
func ordinary(t *testing.T, url string, requests int) (failed int64) {
	t.Helper()
	var left, bad atomic.Int64
	left.Store(int64(requests))
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for left.Add(-1) >= 0 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/ordinary", http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := transport.RoundTrip(req)
				if err != nil {
					bad.Add(1)
					continue
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK {
					bad.Add(1)
				}
			}
		})
	}
	clients.Wait()
	return bad.Load()
}

// slowBody sends a header and then one byte per interval until the service closes the connection.
// It returns the status of the response and the time until the close.
func slowBody(t *testing.T, addr, head, drop string, every time.Duration) (status string, took time.Duration) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Error(err)
		return "", 0
	}
	defer conn.Close()
	began := time.Now()
	if _, err := io.WriteString(conn, head); err != nil {
		t.Error(err)
		return "", 0
	}
	response := make(chan string, 1)
	go func() {
		r := bufio.NewReader(conn)
		line, _ := r.ReadString('\n')
		_, _ = io.Copy(io.Discard, r) // until it is closed
		response <- line
	}()
	drip := time.NewTicker(every)
	defer drip.Stop()
	for {
		select {
		case line := <-response:
			return strings.TrimSpace(line), time.Since(began)
		case <-drip.C:
			_, _ = io.WriteString(conn, drop)
		}
	}
}

// 300 connections that send one byte every 0.4 s occupy no slot: all ordinary requests succeed,
// and each attacker is cut within the request timeout and counted.
func TestSlowBodiesTakeNoPlaces(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"small":             "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
		"small and chunked": "POST /orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		"large":             "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n",
		"with Expect":       "POST /orders HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The timeout is far above the five seconds of a slow body, to distinguish them.
			const attackers, timeout = 300, 2 * time.Minute
			svc := servicetest.Start(t, info, runtime.Defaults{}, attacked, "HTTP_REQUEST_TIMEOUT="+timeout.String())
			addr := strings.TrimPrefix(svc.URL, "http://")
			drop := "x"
			if strings.Contains(head, "chunked") {
				drop = "1\r\nx\r\n"
			}
			var attack sync.WaitGroup
			var slowest atomic.Int64
			var shed atomic.Int64
			for range attackers {
				attack.Go(func() {
					status, took := slowBody(t, addr, head, drop, 400*time.Millisecond)
					raise(&slowest, int64(took))
					if strings.Contains(status, "503") {
						shed.Add(1)
					}
				})
			}
			if failed := ordinary(t, svc.URL, 5000); failed != 0 {
				t.Errorf("%d of 5,000 ordinary requests failed", failed)
			}
			attack.Wait()
			if took := time.Duration(slowest.Load()); took > timeout/2 { // 5 s on an idle machine
				t.Errorf("an attacker was cut after %s, with a request timeout of %s", took, timeout)
			}
			// Large bodies without a permit are shed; all other attackers are too slow.
			svc.WaitMetric(semconv.HTTPServerSlowClients, map[string]string{semconv.LabelReason: semconv.SlowRequestBody}, float64(attackers-shed.Load()))
			if n, ok := svc.Metric(semconv.HTTPServerRequests, map[string]string{semconv.LabelRoute: "/orders", semconv.LabelOutcome: semconv.OutcomeServerError}); !ok || n != 0 {
				t.Errorf("%g attackers count as server_error (known: %t)", n, ok)
			}
		})
	}
}

// A body that arrives after the timeout of its client is a client error and does not count as
// shed.
func TestLateBodiesSpendNoErrorBudget(t *testing.T) {
	t.Parallel()
	svc := servicetest.Start(t, info, runtime.Defaults{}, attacked)
	addr := strings.TrimPrefix(svc.URL, "http://")
	const attackers = 10
	var attack sync.WaitGroup
	sizes := []int{5_000, 70_000}
	for _, size := range sizes {
		head := fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Envoy-Expected-Rq-Timeout-Ms: 500\r\nContent-Length: %d\r\n\r\n", size)
		for range attackers {
			attack.Go(func() {
				status, _ := slowBody(t, addr, head, strings.Repeat("x", size/10), 100*time.Millisecond)
				if !strings.HasPrefix(status, "HTTP/1.1 408") && !strings.HasPrefix(status, "HTTP/1.1 504") {
					t.Errorf("a body of %d bytes gets %q", size, status)
				}
			})
		}
	}
	attack.Wait()
	svc.WaitMetric(semconv.HTTPServerRequests, map[string]string{semconv.LabelRoute: "/orders", semconv.LabelOutcome: semconv.OutcomeClientError}, float64(attackers*len(sizes)))
	for _, outcome := range []string{semconv.OutcomeServerError, semconv.OutcomeShed} {
		if n, _ := svc.Metric(semconv.HTTPServerRequests, map[string]string{semconv.LabelOutcome: outcome}); n != 0 {
			t.Errorf("%g requests count as %s", n, outcome)
		}
	}
	if n, _ := svc.Metric(semconv.RuntimeOverloadShed, nil); n != 0 {
		t.Errorf("%g requests count as rejected", n)
	}
}

// raise sets n to at least v.
func raise(n *atomic.Int64, v int64) {
	for old := n.Load(); v > old && !n.CompareAndSwap(old, v); old = n.Load() {
	}
}

// A request whose body is not read gets a response, and its connection is closed.
func TestUnreadBodyGetsAResponse(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"enforce", "off"} {
		svc := servicetest.Start(t, info, runtime.Defaults{}, attacked, "OVERLOAD_MODE="+mode)
		status, took := slowBody(t, strings.TrimPrefix(svc.URL, "http://"),
			"POST /nope HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 500*time.Millisecond)
		if !strings.HasPrefix(status, "HTTP/1.1 40") || took > 7*time.Second {
			t.Errorf("mode %s: %q after %s", mode, status, took)
		}
	}
}

// 80 connections that request 400 pages each and read none occupy no slot, and do not delay or
// fail the shutdown.
func TestSlowReadersTakeNoPlacesAndDoNotHoldUpAStop(t *testing.T) {
	t.Parallel()
	const attackers, pipelined = 80, 400
	svc := servicetest.Start(t, info, runtime.Defaults{}, attacked, "STOP_TIMEOUT=40s")
	request := strings.Repeat("GET /page HTTP/1.1\r\nHost: a\r\n\r\n", pipelined)
	for range attackers {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(svc.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).SetReadBuffer(1); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		go func() { _, _ = io.WriteString(conn, request) }()
	}
	svc.WaitMetric(semconv.HTTPServerActiveRequests, nil, attackers) // all of them are blocked
	svc.WaitMetric(semconv.RuntimeOverloadInFlight, nil, 0)          // and released their slots
	if failed := ordinary(t, svc.URL, 60); failed != 0 {
		t.Errorf("%d of 60 ordinary requests failed", failed)
	}
	began := time.Now()
	if status := svc.Stop(); status != 0 {
		t.Errorf("status %d: %s", status, svc.Stderr())
	}
	if took := time.Since(began); took > 20*time.Second { // 5 s on an idle machine
		t.Errorf("the shutdown took %s with a budget of 40s", took)
	}
}

// A framework that panics because its client has disconnected causes no server error.
func TestAResetConnectionIsNoPanic(t *testing.T) {
	t.Parallel()
	const clients = 20
	svc := servicetest.Start(t, info, runtime.Defaults{}, attacked)
	for range clients {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(svc.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		tcp := conn.(*net.TCPConn)
		_ = tcp.SetReadBuffer(1)
		_ = tcp.SetLinger(0) // Close sends RST
		if _, err := io.WriteString(conn, strings.Repeat("GET /framework HTTP/1.1\r\nHost: a\r\n\r\n", 50)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil { // the response has begun
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	svc.WaitMetric(semconv.HTTPServerActiveRequests, nil, 0)
	of := map[string]string{semconv.LabelRoute: "/framework", semconv.LabelOutcome: semconv.OutcomeServerError}
	if n, ok := svc.Metric(semconv.HTTPServerRequests, of); !ok || n != 0 {
		t.Errorf("%g requests of disconnected clients are server_error", n)
	}
	of[semconv.LabelOutcome] = semconv.OutcomeClientError
	if n, _ := svc.Metric(semconv.HTTPServerRequests, of); n == 0 {
		t.Error("no request is a client_error")
	}
	if n, _ := svc.Metric(semconv.HTTPServerPanics, nil); n != 0 {
		t.Errorf("%g panics are counted", n)
	}
}

// 200 clients that open a connection per request continue after readiness has failed. A load
// balancer sends no requests after the drain delay; all earlier ones get a response.
func TestNoConnectionIsLostUntilTheDrainDelayIsOver(t *testing.T) {
	t.Parallel()
	const callers, delay = 200, time.Second
	svc := servicetest.Start(t, info, runtime.Defaults{}, attacked, fmt.Sprintf("DRAIN_DELAY=%s", delay))
	stop, underWay := make(chan struct{}), make(chan struct{})
	var stopped atomic.Int64 // time of the signal in nanoseconds
	var responded, lost, late atomic.Int64
	var clients sync.WaitGroup
	for range callers {
		clients.Go(func() {
			transport := &http.Transport{DisableKeepAlives: true}
			for {
				select {
				case <-stop:
					return
				default:
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, svc.URL+"/ordinary", http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				began := time.Now()
				res, err := transport.RoundTrip(req)
				at := stopped.Load()
				switch {
				case err == nil && res.StatusCode == http.StatusOK:
					_ = res.Body.Close()
					if responded.Add(1) == 10*callers {
						close(underWay)
					}
				case at == 0 || began.UnixNano() < at+int64(delay):
					lost.Add(1)
					t.Logf("a request that began %s after the signal: %v", time.Duration(began.UnixNano()-at), err)
				default:
					late.Add(1)
					return // rejected; a load balancer would not send it
				}
			}
		})
	}
	<-underWay
	stopped.Store(time.Now().UnixNano())
	if status := svc.Stop(); status != 0 {
		t.Errorf("status %d: %s", status, svc.Stderr())
	}
	close(stop)
	clients.Wait()
	t.Logf("%d succeeded, %d rejected after the delay", responded.Load(), late.Load())
	if lost.Load() != 0 {
		t.Errorf("%d requests that a balancer would have sent were lost", lost.Load())
	}
}

// A handler that ignores its deadline can still respond: its client waits and was not slow.
func TestLateResponseReachesItsClient(t *testing.T) {
	t.Parallel()
	router := httpserver.NewRouter()
	for path, body := range map[string]string{"/small": "x", "/large": page} {
		router.Get(path, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(7 * time.Second) // beyond the request timeout and the write timeout
			_, _ = io.WriteString(w, body)
		})
	}
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.Handle(router)
		return svc.Run(ctx)
	}, "HTTP_REQUEST_TIMEOUT=1s")
	var clients sync.WaitGroup
	for _, path := range []string{"/small", "/large"} {
		clients.Go(func() {
			res, err := http.Get(svc.URL + path)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); err != nil || len(body) == 0 {
				t.Errorf("%s: %d bytes, %v", path, len(body), err)
			}
		})
	}
	clients.Wait()
	if n, _ := svc.Metric(semconv.HTTPServerSlowClients, nil); n != 0 {
		t.Errorf("%g clients are counted as slow", n)
	}
}

// A response that waits for its source is in flight: the client is not slow.
func TestSlowSourceKeepsItsSlot(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	router := httpserver.NewRouter()
	router.Get("/proxy", func(w http.ResponseWriter, _ *http.Request) {
		source, upstream := io.Pipe()
		go func() {
			_, _ = io.WriteString(upstream, "x")
			close(entered)
			<-release
			_ = upstream.Close()
		}()
		_, _ = io.Copy(w, source)
	})
	svc := servicetest.Start(t, info, runtime.Defaults{}, func(ctx context.Context, svc *runtime.Service) error {
		svc.Handle(router)
		return svc.Run(ctx)
	})
	responded := make(chan error, 1)
	go func() {
		res, err := http.Get(svc.URL + "/proxy")
		if err == nil {
			err = res.Body.Close()
		}
		responded <- err
	}()
	<-entered
	time.Sleep(200 * time.Millisecond) // four times blockedAfter
	if n, _ := svc.Metric(semconv.RuntimeOverloadInFlight, nil); n != 1 {
		t.Errorf("%g requests are in flight", n)
	}
	close(release)
	if err := <-responded; err != nil {
		t.Error(err)
	}
}
