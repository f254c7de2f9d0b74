package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// probeEvery is the interval of readiness probes. Requests that start between SIGTERM
// and the next probe are those that a service without a drain delay loses.
const probeEvery = 200 * time.Millisecond

// balancer sends requests like a load balancer: over keep-alive connections, as long as
// the last probe of the backend succeeded.
type balancer struct {
	url, admin string
	client     *http.Client
	ready      atomic.Bool
	probed     chan struct{} // receives after each successful probe
	stopping   atomic.Bool   // SIGTERM was sent

	started, late atomic.Int64 // late: started after SIGTERM
	mu            sync.Mutex
	failures      []error
}

// stopUnderLoad sends SIGTERM under load. It fails if a request fails or has a 5xx
// response.
func (d *demo) stopUnderLoad(ctx context.Context) error {
	d.title("Stop it under load")
	b := &balancer{
		url: d.service.url, admin: d.service.admin,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, Timeout: patience},
		probed: make(chan struct{}),
	}
	b.ready.Store(true)
	load, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	var wg sync.WaitGroup
	wg.Go(func() { b.probe(load) })
	for range callers {
		wg.Go(func() { b.send(load) })
	}
	if err := waitFor(ctx, "200 requests under load", func() bool { return b.started.Load() > 200 }); err != nil {
		return err
	}
	// SIGTERM just after a probe maximizes the time in which the balancer sends
	// requests to a service that shuts down.
	select {
	case <-b.probed:
	case <-ctx.Done():
		return ctx.Err()
	}
	d.sayf("$ kill -TERM %d", d.service.cmd.Process.Pid)
	b.stopping.Store(true)
	if err := d.service.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-d.service.exited:
	case <-time.After(patience):
		return fmt.Errorf("the service still runs %s after SIGTERM", patience)
	}
	stopLoad()
	wg.Wait()
	return d.report(b)
}

// report prints the result and returns the failures.
func (d *demo) report(b *balancer) error {
	d.sayf("  %d requests, %d of them started after SIGTERM, %d failed; service: %v",
		b.started.Load(), b.late.Load(), len(b.failures), d.service.cmd.ProcessState)
	for _, phase := range []string{"announce", "delay", "requests", "workers", "flush", "close"} {
		if line, found := d.service.log(func(l map[string]any) bool { return l["phase"] == phase }); found {
			d.sayf("    %-9s %6.3f s", phase, line["duration_seconds"])
		}
	}
	if b.late.Load() == 0 {
		return errors.New("no request started after SIGTERM; run the demo again")
	}
	return errors.Join(append(b.failures, d.service.err)...)
}

func (b *balancer) probe(ctx context.Context) {
	for ctx.Err() == nil {
		status, _, err := get(ctx, b.admin+"/readyz")
		if err != nil || status != http.StatusOK {
			b.ready.Store(false)
			return
		}
		select {
		case b.probed <- struct{}{}:
		default:
		}
		pause(ctx, probeEvery)
	}
}

// send sends requests until a probe of the backend fails.
func (b *balancer) send(ctx context.Context) {
	for ctx.Err() == nil && b.ready.Load() {
		b.started.Add(1)
		if b.stopping.Load() {
			b.late.Add(1)
		}
		// The end of the load does not cancel the request: a load balancer waits for it.
		res, err := request{method: http.MethodGet, url: b.url + "/v1/orders?limit=5"}.do(context.WithoutCancel(ctx), b.client)
		if err == nil && res.status >= http.StatusInternalServerError {
			err = fmt.Errorf("a request returned status %d", res.status)
		}
		if err != nil {
			b.mu.Lock()
			b.failures = append(b.failures, err)
			b.mu.Unlock()
		}
		pause(ctx, think)
	}
}

// leaveRunning prints the addresses and waits for an interrupt.
func (d *demo) leaveRunning(ctx context.Context) error {
	d.title("Running; press Ctrl-C to stop")
	d.sayf("  API       %s/v1/orders", d.service.url)
	d.sayf("  metrics   %s/metrics", d.service.admin)
	d.sayf("  probes    %s/readyz", d.service.admin)
	d.sayf("  dashboards    cd %s && docker compose -f observability/stack/compose.yaml up -d  # Grafana on http://127.0.0.1:3000", d.dir)
	<-ctx.Done()
	if err := d.service.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-d.service.exited:
	case <-time.After(patience):
	}
	return d.service.err
}

func (d *demo) sayNext() {
	d.title("Next")
	d.sayf("  make install && cd .. && scaffold new orders && cd orders && make run")
	d.sayf("  cat %s/cmd/orders/main.go", d.dir)
	d.sayf("  KEEP=1 make demo")
}
