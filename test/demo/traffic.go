package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The traffic of the demo. It is enough for a p99, but is not a load test.
const (
	driveFor = 8 * time.Second
	callers  = 8
	think    = 5 * time.Millisecond // between two requests of a caller
	slowBody = 300 * time.Millisecond
)

// drive sends requests that create, change and delete orders, invalid requests, and
// some with a slow body.
func (d *demo) drive(ctx context.Context) error {
	d.title(fmt.Sprintf("Send requests: %d callers for %s, with invalid and slow requests", callers, driveFor))
	before, err := d.scrape(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, driveFor)
	defer cancel()
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() { d.call(ctx, n) })
	}
	wg.Wait()
	after, err := d.scrape(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	return d.chart(before, after, time.Since(began))
}

// call is one caller. It repeatedly creates, reads, updates, lists and deletes an order.
func (d *demo) call(ctx context.Context, n int) {
	all := d.service.url + "/v1/orders"
	for i := 0; ctx.Err() == nil; i++ {
		location := d.create(ctx, all, i)
		one := d.service.url + location
		requests := []request{
			{method: http.MethodGet, url: one},
			{method: http.MethodPut, url: one, body: `{"name":"renamed"}`, ifMatch: `"1"`},
			{method: http.MethodGet, url: all + "?limit=5"},
			{method: http.MethodDelete, url: one},
		}
		if i%5 == n%5 {
			requests = append(requests,
				request{method: http.MethodPost, url: all, body: `{}`},
				request{method: http.MethodGet, url: one},
			)
		}
		if i%25 == n {
			requests = append(requests, request{method: http.MethodPost, url: all, body: `{"name":"slow"}`, slow: true})
		}
		for _, r := range requests {
			_, _ = r.do(ctx, http.DefaultClient)
			pause(ctx, think)
		}
	}
}

func (d *demo) create(ctx context.Context, all string, i int) (location string) {
	r := request{method: http.MethodPost, url: all, body: fmt.Sprintf(`{"name":"order %d"}`, i)}
	res, err := r.do(ctx, http.DefaultClient)
	if err != nil {
		return "/v1/orders/none"
	}
	return res.header.Get("Location")
}

// request is one request of a caller.
type request struct {
	method, url, body, ifMatch string
	slow                       bool // send the body after a delay
}

type response struct {
	status int
	header http.Header
}

func (r request) do(ctx context.Context, client *http.Client) (response, error) {
	body := io.Reader(strings.NewReader(r.body))
	if r.slow {
		body = &lateReader{ctx: ctx, wait: slowBody, next: body}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, body)
	if err != nil {
		return response{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if r.ifMatch != "" {
		req.Header.Set("If-Match", r.ifMatch)
	}
	res, err := client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return response{}, err
	}
	return response{res.StatusCode, res.Header}, nil
}

// lateReader delays the first read.
type lateReader struct {
	ctx  context.Context
	wait time.Duration
	next io.Reader
}

func (r *lateReader) Read(p []byte) (int, error) {
	pause(r.ctx, r.wait)
	r.wait = 0
	return r.next.Read(p)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// one sends a request and returns its body as JSON.
func one(ctx context.Context, method, url, body string) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewBufferString(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var out map[string]any
	err = json.NewDecoder(res.Body).Decode(&out)
	return out, err
}
