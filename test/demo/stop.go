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

// probeEvery is how often the balancer asks for readiness. Requests that begin
// between SIGTERM and the answer that it is over are the ones that others lose.
const probeEvery = 200 * time.Millisecond

// balancer sends requests as a load balancer does: to a backend that it last saw
// ready, over connections that it keeps.
type balancer struct {
	url, admin string
	client     *http.Client
	ready      atomic.Bool
	probed     chan struct{} // told of each probe that answered 200
	stopping   atomic.Bool   // SIGTERM was sent

	started, late atomic.Int64 // late: begun after SIGTERM
	mu            sync.Mutex
	failures      []error
}

// stopUnderLoad sends SIGTERM while requests keep coming and fails when one of
// them is reset, refused or answered with a 5xx.
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
	if err := until(ctx, "the load runs", func() bool { return b.started.Load() > 200 }); err != nil {
		return err
	}
	// Just after a probe, so that the balancer believes in the service for the
	// longest time that it can.
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
	return d.judge(b)
}

func (d *demo) judge(b *balancer) error {
	d.sayf("  %d requests, %d of them begun after SIGTERM, %d failed; the service ended with %v",
		b.started.Load(), b.late.Load(), len(b.failures), d.service.cmd.ProcessState)
	for _, phase := range []string{"announce", "delay", "requests", "workers", "flush", "close"} {
		if line, found := d.service.log(func(l map[string]any) bool { return l["phase"] == phase }); found {
			d.sayf("    %-9s %6.3f s", phase, line["duration_seconds"])
		}
	}
	if b.late.Load() == 0 {
		return errors.New("no request began after SIGTERM, so nothing was shown")
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

// send opens nothing new once the backend said that it is not ready.
func (b *balancer) send(ctx context.Context) {
	for ctx.Err() == nil && b.ready.Load() {
		b.started.Add(1)
		if b.stopping.Load() {
			b.late.Add(1)
		}
		// The request outlives the load: a balancer does not hang up.
		res, err := request{method: http.MethodGet, url: b.url + "/v1/orders?limit=5"}.do(context.WithoutCancel(ctx), b.client)
		if err == nil && res.status >= http.StatusInternalServerError {
			err = fmt.Errorf("a request was answered %d", res.status)
		}
		if err != nil {
			b.mu.Lock()
			b.failures = append(b.failures, err)
			b.mu.Unlock()
		}
		pause(ctx, think)
	}
}

// leaveRunning says where everything is and waits to be interrupted.
func (d *demo) leaveRunning(ctx context.Context) error {
	d.title("It keeps running; Ctrl-C ends it")
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
	d.sayf("  make install && scaffold new orders && cd orders && make run")
	d.sayf("  cat %s/cmd/orders/main.go", d.dir)
	d.sayf("  KEEP=1 make demo")
}
