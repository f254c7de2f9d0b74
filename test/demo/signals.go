package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// exemplarID matches exemplars of the duration histogram.
var exemplarID = regexp.MustCompile(semconv.HTTPServerRequestDuration + `_bucket\{[^}]*http_route="/v1/orders"[^}]*\} \S+ # \{` + semconv.ExemplarTraceID + `="([0-9a-f]{32})"\}`)

// showOneRequest follows one trace id from the metric to the span and the log line.
func (d *demo) showOneRequest(ctx context.Context) error {
	d.title("One request in every signal")
	var id string
	var span servicetest.Span
	var line map[string]any
	err := waitFor(ctx, "a trace id in an exemplar, a span and a log line", func() bool {
		_, body, err := get(ctx, d.service.admin+"/metrics", "Accept", "application/openmetrics-text; version=1.0.0")
		if err != nil {
			return false
		}
		for _, match := range exemplarID.FindAllStringSubmatch(string(body), -1) {
			id = match[1]
			var inSpan, inLog bool
			span, inSpan = d.span(id)
			line, inLog = d.service.log(func(l map[string]any) bool { return l["trace_id"] == id && l[semconv.LabelRoute] != nil })
			if inSpan && inLog {
				return true
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	if line["span_id"] != span.SpanID {
		return fmt.Errorf("the log line %v and the span %s of trace %s are of different requests", line, span.SpanID, id)
	}
	d.sayf("  exemplar  %s{http_route=\"/v1/orders\"} trace_id=%s", semconv.HTTPServerRequestDuration, id)
	d.sayf("  span      %-34s trace_id=%s  %.1f ms, %d children", span.Name, span.TraceID, 1000*span.End.Sub(span.Start).Seconds(), d.children(id))
	d.sayf("  log line  %q, status %v            trace_id=%s", line["msg"], line[semconv.LabelStatus], line["trace_id"])
	if err := waitFor(ctx, "an uploaded profile", func() bool { return len(d.receiver.Profiles()) > 0 }); err != nil {
		return err
	}
	d.sayf("  profiles  %d uploads so far; samples have the ids of their spans", len(d.receiver.Profiles()))
	return nil
}

func (d *demo) span(id string) (servicetest.Span, bool) {
	for _, s := range d.receiver.Spans() {
		if s.TraceID == id && s.ParentID == "" {
			return s, true
		}
	}
	return servicetest.Span{}, false
}

func (d *demo) children(id string) (n int) {
	for _, s := range d.receiver.Spans() {
		if s.TraceID == id && s.ParentID != "" {
			n++
		}
	}
	return n
}

// breakIt injects an outage and lists the alerts that would page.
func (d *demo) breakIt(ctx context.Context) error {
	d.title("Break it on purpose")
	if d.database == nil {
		return d.killService(ctx)
	}
	return d.stopDatabase(ctx)
}

// stopDatabase shows an outage of a dependency that all replicas share: requests fail
// fast and count as errors. The service stays ready, so that the outage pages.
func (d *demo) stopDatabase(ctx context.Context) error {
	d.sayf("  stopping PostgreSQL while the service runs")
	if err := d.database.Stop(); err != nil {
		return err
	}
	problem, err := one(ctx, http.MethodGet, d.service.url+"/v1/orders", "")
	if err != nil {
		return err
	}
	ready, _, err := get(ctx, d.service.admin+"/readyz")
	if err != nil {
		return err
	}
	d.sayf("  GET /v1/orders returns %v %q; /readyz still returns %d", problem["status"], problem["detail"], ready)
	if ready != http.StatusOK {
		return fmt.Errorf("/readyz returned %d during an outage of a shared dependency, want 200", ready)
	}
	if err := d.showPages(1); err != nil {
		return err
	}
	if err := d.database.Restart(ctx); err != nil {
		return err
	}
	err = waitFor(ctx, "the service recovers without a restart", func() bool {
		status, _, err := get(ctx, d.service.url+"/v1/orders")
		return err == nil && status == http.StatusOK
	})
	d.sayf("  PostgreSQL runs again; the service recovered without a restart")
	return err
}

func (d *demo) killService(ctx context.Context) error {
	d.sayf("  SIGKILL: a crash without failed requests")
	if err := d.service.kill(); err != nil {
		return err
	}
	if _, _, err := get(ctx, d.service.admin+"/metrics"); err == nil {
		return errors.New("the killed service still responds to scrapes")
	}
	d.sayf("  the next scrape fails: OrdersDown pages within 2.5 minutes, because up is 0")
	s, err := d.launch(ctx)
	d.service = s
	return err
}
